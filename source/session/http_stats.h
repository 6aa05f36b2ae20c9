// The stats of a connection manager: http.PREFIX.downstream_*, and those of redirects that it does not follow:
// http.PREFIX.passthrough_internal_redirect_*.
#pragma once

#include <string>

#include "source/session/http_settings.h"

namespace sluice::session {

// Thread: main. `scope`: of whole names; whoever counts by the stats holds it.
HttpStats makeHttpStats(observability::Scope& scope, const std::string& prefix);

}  // namespace sluice::session
