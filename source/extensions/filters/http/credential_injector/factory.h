#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::credential_injector {

// envoy.extensions.filters.http.credential_injector.v3.CredentialInjector.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::credential_injector
