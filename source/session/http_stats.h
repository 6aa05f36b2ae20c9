// The stats of a connection manager: http.PREFIX.downstream_*.
#pragma once

#include <string>

#include "source/session/http_settings.h"

namespace sluice::session {

// Thread: main.
HttpStats makeHttpStats(observability::StatsRegistry& registry, const std::string& prefix);

}  // namespace sluice::session
