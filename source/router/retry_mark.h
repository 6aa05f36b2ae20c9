// The mark of an answer that no hop in front of this one shall ask for again: its retries are spent, or its cluster's
// budget of retries is. Without it each tier of proxies multiplies what a failing one behind it gets.
//
// x-sluice-retry-refused: retries_spent | too_many_retries. An answer that comes with it is not retried whatever the
// policy says, and goes on with it. Only an internal host (net::Address::isInternal) is believed, and only internal
// hops are told (session::isInternalHop).
#pragma once

#include "source/http/headers.h"
#include "source/net/address.h"

namespace sluice::router {

inline constexpr http::Name kRetryMark = http::Name::kXSluiceRetryRefused;

// From a host that is not internal it says nothing.
inline void dropForeignMark(http::ResponseHeaders& answer, const net::Address& host) {
  if (answer.has(kRetryMark) && !host.isInternal()) [[unlikely]]
    answer.remove(kRetryMark);
}

}  // namespace sluice::router
