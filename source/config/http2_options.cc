#include "source/config/http2_options.h"

#include <algorithm>

#include "source/config/values.h"

namespace sluice::config {

Http2Options compileHttp2Options(const envoy::config::core::v3::Http2ProtocolOptions& proto, bool envoy_defaults) {
  Http2Options out;
  http::Http2Settings& s = out.settings;
  if (envoy_defaults) {
    s.max_concurrent_streams = 1024;
    s.initial_stream_window = 16 * 1024 * 1024;
    s.initial_connection_window = 24 * 1024 * 1024;
    s.stream_reset_burst = 1000;
  }
  constexpr uint64_t kMost = 1'000'000;  // as good as none
  if (proto.has_stream_reset_burst()) s.stream_reset_burst = std::min(proto.stream_reset_burst().value(), kMost);
  if (proto.has_stream_reset_rate()) s.stream_reset_rate = std::min(proto.stream_reset_rate().value(), kMost);
  const auto set = [](uint32_t& place, bool has, const google::protobuf::UInt32Value& value) {
    if (has) place = value.value();
  };
  set(s.header_table_size, proto.has_hpack_table_size(), proto.hpack_table_size());
  set(s.max_concurrent_streams, proto.has_max_concurrent_streams(), proto.max_concurrent_streams());
  set(s.initial_stream_window, proto.has_initial_stream_window_size(), proto.initial_stream_window_size());
  set(s.initial_connection_window, proto.has_initial_connection_window_size(), proto.initial_connection_window_size());
  set(s.max_outbound_frames, proto.has_max_outbound_frames(), proto.max_outbound_frames());
  set(s.max_outbound_control_frames, proto.has_max_outbound_control_frames(), proto.max_outbound_control_frames());
  set(s.max_consecutive_inbound_empty_frames, proto.has_max_consecutive_inbound_frames_with_empty_payload(),
      proto.max_consecutive_inbound_frames_with_empty_payload());
  set(s.max_inbound_priority_frames_per_stream, proto.has_max_inbound_priority_frames_per_stream(),
      proto.max_inbound_priority_frames_per_stream());
  set(s.max_inbound_window_updates_per_data_frame, proto.has_max_inbound_window_update_frames_per_data_frame_sent(),
      proto.max_inbound_window_update_frames_per_data_frame_sent());
  s.allow_connect = proto.allow_connect();
  s.disallow_obs_text = proto.disallow_obs_text().value();
  const auto& keepalive = proto.connection_keepalive();
  out.keepalive_interval = compileMilliseconds(keepalive.interval());
  out.keepalive_timeout = compileMilliseconds(keepalive.timeout());
  out.keepalive_idle_interval = compileMilliseconds(keepalive.connection_idle_interval());
  if (keepalive.has_interval_jitter()) {
    out.keepalive_jitter_percent =
        static_cast<uint32_t>(std::clamp(keepalive.interval_jitter().value(), 0.0, 100.0) + 0.5);
  }
  return out;
}

}  // namespace sluice::config
