// How an attempt at a host ended.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/http/codec.h"
#include "source/upstream/pool/exchange.h"

namespace sluice::upstream {

struct AttemptEnd {
  enum class Kind : uint8_t {
    kComplete,      // the whole response came
    kNoConnection,  // `connection` says why
    kReset,         // by the host, or with its connection: `reset`
    kTimeout,       // who asked did not wait any longer
    kCancelled,     // who asked wants no answer any more
  };
  // Whose patience was over. kMaxDuration: the cluster's, whose streams live no longer (max_stream_duration).
  enum class Timer : uint8_t { kRequest, kPerTry, kPerTryIdle, kMaxDuration };
  Kind kind = Kind::kComplete;
  pool::Failure connection = {};
  http::ResetReason reset = {};
  Timer timer = Timer::kRequest;  // kTimeout
  // kReset: the connection served others before, and nothing came on it since this request was sent. Its peer may have
  // closed it before it saw the request.
  bool maybe_unseen = false;
  // kNoConnection: what the system or the transport says; valid during the call. kReset: static text, the rule that was
  // broken or how it came.
  std::string_view text = {};
};

}  // namespace sluice::upstream
