#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::header_mutation {

// envoy.extensions.filters.http.header_mutation.v3.HeaderMutation.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::header_mutation
