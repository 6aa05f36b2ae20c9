// What one connection may cost us: counts of what a peer can make us do for next to nothing. Each count has a bound
// that grows with the useful work on the connection; a peer that goes beyond it is asked to calm down.
//
// There is no clock here: each call of receive() forgives some of the frames that are not work in themselves, so a
// keepalive ping now and then costs nothing, and thousands in a few reads do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/http/codec.h"

namespace sluice::http::h2 {

class Budget {
 public:
  explicit Budget(const Http2Settings& settings) : settings_(settings) {}

  void beginReceive() { glitches_ -= std::min(glitches_, kForgivenPerReceive); }
  void streamOpened() { ++streams_; }
  void responseCompleted() { ++completed_; }
  void dataFrameSent() { ++data_frames_sent_; }
  void dataReceived() { empty_frames_ = 0; }

  // Each returns the detail of the error where the bound is broken.
  using Verdict = std::optional<std::string_view>;

  // A stream ended before its response began, by the peer's RST_STREAM or because we had to reset it (CVE-2023-44487
  // and "MadeYouReset").
  Verdict earlyReset() { return judge(++early_resets_ > kFreeResets + completed_ / 2, "http2.rapid_reset"); }
  // DATA without payload and without END_STREAM, one after the other (CVE-2019-9518).
  Verdict emptyFrame() {
    const uint32_t most = settings_.max_consecutive_inbound_empty_frames;
    return judge(++empty_frames_ > most && most > 0, "http2.inbound_empty_frames_flood");
  }
  Verdict priority() {
    const uint64_t most = settings_.max_inbound_priority_frames_per_stream;
    return judge(++priorities_ > most * (1 + streams_) && most > 0, "http2.inbound_priority_frames_flood");
  }
  Verdict windowUpdate() {
    const uint64_t most = settings_.max_inbound_window_updates_per_data_frame;
    return judge(++window_updates_ > 5 + 2 * (streams_ + most * data_frames_sent_) && most > 0,
                 "http2.inbound_window_update_frames_flood");
  }
  // A frame that asks for an answer or moves nothing on: PING, SETTINGS, frames on streams that are over.
  Verdict control(uint32_t weight = 1) {
    glitches_ += weight;
    const uint32_t most = settings_.max_outbound_control_frames;
    return judge(glitches_ > most && most > 0, "http2.outbound_control_flood");
  }
  // DATA of a few bytes (CVE-2020-12603).
  Verdict tinyData() {
    return judge(++tiny_frames_ > kFreeTinyFrames + payload_ / kPayloadPerTinyFrame, "http2.tiny_data_flood");
  }
  // `frames` wait to be written, all of them caused by one piece of input.
  Verdict outbound(size_t frames) {
    const uint32_t most = settings_.max_outbound_frames;
    return judge(frames > most && most > 0, "http2.outbound_frames_flood");
  }
  void payload(size_t bytes) { payload_ += bytes; }

  static constexpr size_t kTinyPayload = 4;  // bytes; a gRPC message or a WebSocket frame is longer

 private:
  static constexpr uint32_t kForgivenPerReceive = 16;
  static constexpr uint64_t kFreeResets = 100;
  static constexpr uint64_t kFreeTinyFrames = 10'000;
  static constexpr uint64_t kPayloadPerTinyFrame = 256;

  static Verdict judge(bool broken, std::string_view detail) { return broken ? Verdict(detail) : std::nullopt; }

  const Http2Settings& settings_;
  uint32_t glitches_ = 0;
  uint32_t empty_frames_ = 0;
  uint64_t streams_ = 0;
  uint64_t completed_ = 0;
  uint64_t early_resets_ = 0;
  uint64_t priorities_ = 0;
  uint64_t window_updates_ = 0;
  uint64_t data_frames_sent_ = 0;
  uint64_t tiny_frames_ = 0;
  uint64_t payload_ = 0;
};

}  // namespace sluice::http::h2
