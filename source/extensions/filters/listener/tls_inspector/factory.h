#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::tls_inspector {

// envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::tls_inspector
