// How an attempt to reach a host failed, in Envoy's words.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/http/codec.h"
#include "source/stream/stream_info.h"

namespace sluice::router {

struct FailureText {
  std::string_view details;
  std::string_view body;
  stream::ResponseFlag flag;
  uint16_t status;
};

inline constexpr FailureText kNoHost{"no_healthy_upstream", "no healthy upstream",
                                     stream::ResponseFlag::kNoHealthyUpstream, 503};
inline constexpr FailureText kConnectFailure{
    "upstream_reset_before_response_started{remote_connection_failure}",
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
    stream::ResponseFlag::kUpstreamConnectionFailure, 503};
inline constexpr FailureText kConnectTimeout{
    "upstream_reset_before_response_started{connection_timeout}",
    "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    stream::ResponseFlag::kUpstreamConnectionFailure, 503};
inline constexpr FailureText kOverflow{
    "upstream_reset_before_response_started{overflow}",
    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    stream::ResponseFlag::kUpstreamOverflow, 503};
inline constexpr FailureText kUpgradeRefused{
    "upstream_reset_before_response_started{upgrade_refused}",
    "the upstream takes no upgrades over HTTP/2: its SETTINGS do not allow extended CONNECT (RFC 8441)",
    stream::ResponseFlag::kUpstreamProtocolError, 502};
// How the host, or the connection to it, ended a response that was not whole.
struct ResetText {
  FailureText before;      // its head
  std::string_view after;  // details
};

#define SLUICE_RESET_TEXT(name, text, flag, status)                                                                \
  ResetText {                                                                                                      \
    {"upstream_reset_before_response_started{" name "}",                                                           \
     "upstream connect error or disconnect/reset before headers. reset reason: " text, stream::ResponseFlag::flag, \
     status},                                                                                                      \
        "upstream_reset_after_response_started{" name "}"                                                          \
  }

inline constexpr ResetText resetText(http::ResetReason reason) {
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

}  // namespace sluice::router
