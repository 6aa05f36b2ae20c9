#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_web {

// envoy.extensions.filters.http.grpc_web.v3.GrpcWeb.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_web
