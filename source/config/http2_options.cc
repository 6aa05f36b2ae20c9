#include "source/config/http2_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/config/values.h"

namespace sluice::config {

namespace {

using Proto = envoy::config::core::v3::Http2ProtocolOptions;

// Null: nobody has a better word for it.
const char* saidElsewhere(uint32_t setting) {
  switch (setting) {
    case 1:
      return "hpack_table_size says it";
    case 2:
      return "nothing is pushed here, and hosts are told so";
    case 3:
      return "max_concurrent_streams says it";
    case 4:
      return "initial_stream_window_size says it";
    case 5:
      return "frames are taken up to 16 KiB, which is the default";
    case 6:
      return "max_request_headers_kb and max_response_headers_kb say it";
    case 8:
      return "allow_connect says it";
    case 9:
      return "priorities of RFC 7540 are not followed, and clients are told so";
    default:
      return nullptr;
  }
}

// (proto: custom_settings_parameters)
void compileFurther(const Proto& proto, const Context& context, http::Http2Settings& out) {
  for (int i = 0; i < proto.custom_settings_parameters_size(); ++i) {
    const auto& parameter = proto.custom_settings_parameters(i);
    const uint32_t id = parameter.identifier().value();
    const Context at = context.child("custom_settings_parameters", static_cast<size_t>(i)).child("identifier");
    if (const char* where = saidElsewhere(id)) {
      at.error(absl::StrCat(id, " cannot be set by this: ", where, "; remove it"));
      continue;
    }
    const bool twice =
        std::any_of(out.further.begin(), out.further.end(), [id](const auto& other) { return other.first == id; });
    if (twice) at.error(absl::StrCat(id, " is in the list already; keep one of the entries"));
    out.further.emplace_back(static_cast<uint16_t>(id), parameter.value().value());
  }
}

void refuseWhatIsNotThere(const Proto& proto, const Context& context) {
  if (proto.has_enable_huffman_encoding() && !proto.enable_huffman_encoding().value()) {
    context.child("enable_huffman_encoding")
        .error("cannot be switched off here: the encoder takes whichever form is shorter; remove it");
  }
  constexpr uint32_t kMost = 64;  // NGHTTP2_HD_MAX_NV
  if (proto.max_header_field_size_kb().value() > kMost) {
    context.child("max_header_field_size_kb")
        .error("cannot be more than 64: the HPACK decoder takes no longer field; remove it");
  }
}

}  // namespace

Http2Options compileHttp2Options(const Proto& proto, bool envoy_defaults, const Context& context) {
  refuseWhatIsNotThere(proto, context);
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
  compileFurther(proto, context, s);
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
