// Where a redirect leads. A host wrote it, and what it says becomes a request of ours: it is believed no more than what
// a client asks for. Pure; thread: any.
#pragma once

#include <optional>
#include <string_view>

#include "source/base/arena.h"
#include "source/http/headers.h"

namespace sluice::session {

// Text of the arena.
struct RedirectTarget {
  std::string_view scheme;     // "http" or "https"
  std::string_view authority;  // as a client may name it: no user information
  std::string_view path;       // with the query; begins with "/". Not in canonical form yet
};

// Of `location` (RFC 9110 section 10.2.2), without its fragment. nullopt: it is missing, there is more than one, it is
// relative, of another scheme, or holds what no request line may.
std::optional<RedirectTarget> redirectTarget(base::Arena& arena, const http::ResponseHeaders& redirect);

}  // namespace sluice::session
