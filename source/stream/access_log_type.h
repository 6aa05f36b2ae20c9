// Why an access log gets an entry. (proto: data.accesslog.v3.AccessLogType)
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::stream {

enum class AccessLogType : uint8_t {
  kNotSet,
  kTcpUpstreamConnected,
  kTcpPeriodic,
  kTcpConnectionEnd,
  kDownstreamStart,
  kDownstreamPeriodic,
  kDownstreamEnd,
  kUdpSessionEnd,
  kTcpConnectionStart,
};

// As %ACCESS_LOG_TYPE% shows it.
constexpr std::string_view textOf(AccessLogType type) {
  constexpr std::string_view kTexts[] = {"NotSet",           "TcpUpstreamConnected", "TcpPeriodic",
                                         "TcpConnectionEnd", "DownstreamStart",      "DownstreamPeriodic",
                                         "DownstreamEnd",    "UdpSessionEnd",        "TcpConnectionStart"};
  return kTexts[static_cast<unsigned>(type)];
}

}  // namespace sluice::stream
