// Why an access log gets an entry. (proto: data.accesslog.v3.AccessLogType)
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::stream {

// With the numbers of the proto.
enum class AccessLogType : uint8_t {
  kNotSet,
  kTcpUpstreamConnected,
  kTcpPeriodic,
  kTcpConnectionEnd,
  kDownstreamStart,
  kDownstreamPeriodic,
  kDownstreamEnd,
  kUpstreamPoolReady,
  kUpstreamPeriodic,
  kUpstreamEnd,
  kDownstreamTunnelSuccessfullyEstablished,
  kUdpTunnelUpstreamConnected,
  kUdpPeriodic,
  kUdpSessionEnd,
  kTcpConnectionStart,
};

// As %ACCESS_LOG_TYPE% shows it.
constexpr std::string_view textOf(AccessLogType type) {
  constexpr std::string_view kTexts[] = {"NotSet",
                                         "TcpUpstreamConnected",
                                         "TcpPeriodic",
                                         "TcpConnectionEnd",
                                         "DownstreamStart",
                                         "DownstreamPeriodic",
                                         "DownstreamEnd",
                                         "UpstreamPoolReady",
                                         "UpstreamPeriodic",
                                         "UpstreamEnd",
                                         "DownstreamTunnelSuccessfullyEstablished",
                                         "UdpTunnelUpstreamConnected",
                                         "UdpPeriodic",
                                         "UdpSessionEnd",
                                         "TcpConnectionStart"};
  return kTexts[static_cast<unsigned>(type)];
}

}  // namespace sluice::stream
