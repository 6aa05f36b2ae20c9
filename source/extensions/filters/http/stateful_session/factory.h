#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::stateful_session {

// envoy.extensions.filters.http.stateful_session.v3.StatefulSession.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::stateful_session
