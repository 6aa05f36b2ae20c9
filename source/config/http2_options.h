// HTTP/2 options of either side as values of the data path. (proto: envoy.config.core.v3.Http2ProtocolOptions)
#pragma once

#include <chrono>
#include <cstdint>

#include "envoy/config/core/v3/protocol.pb.h"
#include "source/config/errors.h"
#include "source/http/codec.h"

namespace sluice::config {

struct Http2Options {
  http::Http2Settings settings;
  std::chrono::milliseconds keepalive_interval{0};  // 0: no pings
  std::chrono::milliseconds keepalive_timeout{0};
  std::chrono::milliseconds keepalive_idle_interval{0};  // of a host's silence before a request; 0: no ping
  uint32_t keepalive_jitter_percent = 15;                // of the interval, added to it
};

// Fields that are absent get the default of the edge, or Envoy's. The message has passed validate(); `context` stands
// at it.
Http2Options compileHttp2Options(const envoy::config::core::v3::Http2ProtocolOptions& proto, bool envoy_defaults,
                                 const Context& context);

}  // namespace sluice::config
