#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_field_extraction {

// envoy.extensions.filters.http.grpc_field_extraction.v3.GrpcFieldExtractionConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_field_extraction
