#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::filters::listener::tls_inspector {

// envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::listener::tls_inspector
