#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::file_server {

// envoy.extensions.filters.http.file_server.v3.FileServerConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::file_server
