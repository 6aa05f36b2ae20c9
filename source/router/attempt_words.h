// What the head of a request says to its hosts of the attempt that it is: which one, how long it has, whether a slow
// one was before it. (Envoy: x-envoy-attempt-count, x-envoy-expected-rq-timeout-ms, x-envoy-is-timeout-retry,
// grpc-timeout)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "source/event/timer.h"
#include "source/http/headers.h"

namespace sluice::router {

void setNumber(http::HeaderList& headers, http::Name name, int64_t number);

// Of an attempt that is not the first: what the head says already is said anew.
struct AttemptWords {
  std::optional<uint32_t> number;     // nullopt: hosts are not told
  std::optional<bool> after_timeout;  // same
  std::chrono::milliseconds time{0};  // 0: nothing is said of it
  event::Duration passed{0};          // since the attempt before was told; off grpc-timeout

  void putInto(http::RequestHeaders& headers) const;
};

}  // namespace sluice::router
