#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::oauth2_server {

// sluice.extensions.filters.http.oauth2_server.v1.OAuth2Server.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::oauth2_server
