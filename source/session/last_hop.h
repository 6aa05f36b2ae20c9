// Requests that end here whatever the routes say: OPTIONS and TRACE that may go no further (RFC 9110 section 7.6.2),
// and "OPTIONS *", which asks about this server.
#pragma once

#include <optional>

#include "source/filter/result.h"
#include "source/http/headers.h"

namespace sluice::session {

// Of OPTIONS and TRACE.
std::optional<filter::Reply> answerLastHop(http::RequestHeaders& headers);

// The answer; nullopt: the request goes on, its Max-Forwards counted down.
inline std::optional<filter::Reply> answerAsLast(http::RequestHeaders& headers) {
  if (headers.method != "OPTIONS" && headers.method != "TRACE") [[likely]]
    return std::nullopt;
  return answerLastHop(headers);
}

}  // namespace sluice::session
