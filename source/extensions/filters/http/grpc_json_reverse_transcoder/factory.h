#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder {

// envoy.extensions.filters.http.grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder
