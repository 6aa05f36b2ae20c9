// How an attempt to reach a host failed, in Envoy's words.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/http/codec.h"
#include "source/stream/response_flags.h"
#include "source/upstream/attempt_end.h"

namespace sluice::upstream {

struct FailureText {
  std::string_view details;
  std::string_view body;
  stream::ResponseFlag flag;
  uint16_t status;
};

inline constexpr FailureText kNoHostText{"no_healthy_upstream", "no healthy upstream",
                                         stream::ResponseFlag::kNoHealthyUpstream, 503};
inline constexpr FailureText kConnectFailureText{
    "upstream_reset_before_response_started{remote_connection_failure}",
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
    stream::ResponseFlag::kUpstreamConnectionFailure, 503};
inline constexpr FailureText kConnectTimeoutText{
    "upstream_reset_before_response_started{connection_timeout}",
    "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    stream::ResponseFlag::kUpstreamConnectionFailure, 503};
inline constexpr FailureText kOverflowText{
    "upstream_reset_before_response_started{overflow}",
    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    stream::ResponseFlag::kUpstreamOverflow, 503};
inline constexpr FailureText kUpgradeRefusedText{
    "upstream_reset_before_response_started{upgrade_refused}",
    "the upstream takes no upgrades over HTTP/2: its SETTINGS do not allow extended CONNECT (RFC 8441)",
    stream::ResponseFlag::kUpstreamProtocolError, 502};
inline constexpr FailureText kTimeoutText{"response_timeout", "upstream request timeout",
                                          stream::ResponseFlag::kUpstreamRequestTimeout, 504};
inline constexpr FailureText kPerTryTimeoutText{"upstream_per_try_timeout", "upstream request timeout",
                                                stream::ResponseFlag::kUpstreamRequestTimeout, 504};
inline constexpr FailureText kPerTryIdleTimeoutText{"upstream_per_try_idle_timeout", "upstream request timeout",
                                                    stream::ResponseFlag::kUpstreamRequestTimeout, 504};
// Where the request has not ended yet, its status is 408 (the router's to say).
inline constexpr FailureText kMaxDurationText{"upstream_max_stream_duration_reached",
                                              "upstream max stream duration reached",
                                              stream::ResponseFlag::kUpstreamMaxStreamDurationReached, 504};

inline constexpr const FailureText& timeoutText(AttemptEnd::Timer timer) {
  switch (timer) {
    case AttemptEnd::Timer::kPerTry:
      return kPerTryTimeoutText;
    case AttemptEnd::Timer::kPerTryIdle:
      return kPerTryIdleTimeoutText;
    case AttemptEnd::Timer::kMaxDuration:
      return kMaxDurationText;
    case AttemptEnd::Timer::kRequest:
      break;
  }
  return kTimeoutText;
}

// What a failed attempt is answered with if the head of its response has not come, and the details if it has.
struct AttemptText {
  FailureText before;
  std::string_view after;
};

#define SLUICE_RESET_TEXT(name, text, flag, status)                                                                \
  AttemptText {                                                                                                    \
    {"upstream_reset_before_response_started{" name "}",                                                           \
     "upstream connect error or disconnect/reset before headers. reset reason: " text, stream::ResponseFlag::flag, \
     status},                                                                                                      \
        "upstream_reset_after_response_started{" name "}"                                                          \
  }

// How the host, or the connection to it, ended a response that was not whole.
inline constexpr AttemptText resetText(http::ResetReason reason) {
  using http::ResetReason;
  switch (reason) {
    case ResetReason::kLocal:
      return SLUICE_RESET_TEXT("local_reset", "local reset", kLocalReset, 503);
    case ResetReason::kRemote:
      return SLUICE_RESET_TEXT("remote_reset", "remote reset", kUpstreamRemoteReset, 503);
    case ResetReason::kRefused:
    case ResetReason::kUnprocessed:
      return SLUICE_RESET_TEXT("remote_refused_stream_reset", "remote refused stream reset", kUpstreamRemoteReset, 503);
    case ResetReason::kConnectError:
      return SLUICE_RESET_TEXT("remote_error_with_CONNECT_request", "remote error with CONNECT request",
                               kUpstreamRemoteReset, 503);
    case ResetReason::kProtocolError:
      return SLUICE_RESET_TEXT("protocol_error", "protocol error", kUpstreamProtocolError, 502);
    case ResetReason::kConnectionEnded:
      break;
  }
  return SLUICE_RESET_TEXT("connection_termination", "connection termination", kUpstreamConnectionTermination, 503);
}

#undef SLUICE_RESET_TEXT

inline constexpr AttemptText textOf(const AttemptEnd& failure) {
  if (failure.kind == AttemptEnd::Kind::kTimeout) {
    const FailureText& text = timeoutText(failure.timer);
    return {text, text.details};
  }
  if (failure.kind == AttemptEnd::Kind::kReset) return resetText(failure.reset);
  switch (failure.connection) {
    case pool::Failure::kConnectTimeout:
      return {kConnectTimeoutText, {}};
    case pool::Failure::kOverflow:
      return {kOverflowText, {}};
    case pool::Failure::kUpgradeRefused:
      return {kUpgradeRefusedText, {}};
    case pool::Failure::kConnectFailed:
    case pool::Failure::kNotBegun:
    case pool::Failure::kDrained:
      break;
  }
  return {kConnectFailureText, {}};
}

}  // namespace sluice::upstream
