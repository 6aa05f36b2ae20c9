// How an attempt to reach a host failed, in Envoy's words.
#pragma once

#include <cstdint>
#include <string_view>

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
inline constexpr FailureText kTermination{
    "upstream_reset_before_response_started{connection_termination}",
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
    stream::ResponseFlag::kUpstreamConnectionTermination, 503};
inline constexpr FailureText kProtocolError{
    "upstream_reset_before_response_started{protocol_error}",
    "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    stream::ResponseFlag::kUpstreamProtocolError, 502};

}  // namespace sluice::router
