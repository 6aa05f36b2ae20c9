// What one connection may cost us: what a peer can make us do for next to nothing. A peer that goes beyond a bound is
// asked to calm down.
//
// Each budget is a rate with room for a burst. It is given back by time, which the owner of the codec tells, and by
// work that the frames went with (streams, payload, DATA that we sent); rate and room grow with the streams that are
// open now. So no budget is used up by a long life, and none is saved up by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/http/codec.h"

namespace sluice::http::h2 {

// Counts what was used and not given back yet.
class UsedUp {
 public:
  // False: more than `most` is used. `per_second` is given back by time: looked at only where the bound is reached, so
  // that a peer far from it costs an addition.
  bool use(uint64_t cost, TimePoint now, uint64_t most, uint64_t per_second) {
    if (used_ <= 0) since_ = now;
    used_ += static_cast<int64_t>(cost);
    if (used_ <= static_cast<int64_t>(most)) return true;
    return forgive(now, per_second) <= static_cast<int64_t>(most);
  }
  // `saved`: how much of it counts for what is used later.
  void giveBack(uint64_t amount, uint64_t saved = 0) {
    used_ = std::max(used_ - static_cast<int64_t>(amount), -static_cast<int64_t>(saved));
  }

 private:
  int64_t forgive(TimePoint now, uint64_t per_second) {
    using std::chrono::microseconds;
    constexpr int64_t kMost = 3600'000'000;
    const auto passed = std::chrono::duration_cast<microseconds>(now - since_).count();
    if (passed <= 0) return used_;
    const int64_t amount = std::min(passed, kMost) * static_cast<int64_t>(per_second) / 1'000'000;
    since_ = now;
    if (amount > 0) used_ = used_ > amount ? used_ - amount : 0;
    return used_;
  }

  int64_t used_ = 0;
  TimePoint since_{};
};

class Budget {
 public:
  explicit Budget(const Http2Settings& settings) : settings_(settings) {}

  void tellTime(TimePoint now) { now_ = now; }
  void streamOpened() {
    ++open_;
    tiny_frames_.giveBack(kFramesPerStream);
    control_.giveBack(1);
    informational_.giveBack(kFramesPerStream);
    window_updates_.giveBack(kFramesPerStream, savedUpdates());
  }
  void streamClosed() {
    --open_;
    priorities_.giveBack(std::min(settings_.max_inbound_priority_frames_per_stream, kRetiredPriorities));
  }
  void responseCompleted() { early_resets_.giveBack(1); }
  void dataFrameSent() {
    control_.giveBack(1);
    window_updates_.giveBack(uint64_t{2} * settings_.max_inbound_window_updates_per_data_frame, savedUpdates());
  }
  // A DATA frame with this much payload.
  void dataReceived(size_t bytes) {
    if (bytes > 0) empty_frames_ = UsedUp();
    if (bytes <= kTinyPayload) return;
    control_.giveBack(1);
    payload_ += bytes;
  }

  // Each returns the detail of the error where the bound is broken.
  using Verdict = std::optional<std::string_view>;

  // A stream ended before its response began, by the peer's RST_STREAM or because we had to reset it (CVE-2023-44487
  // and "MadeYouReset"). Two responses make up for one.
  Verdict earlyReset() {
    constexpr uint64_t kCost = 2;
    return judge(
        early_resets_.use(kCost, now_, kCost * settings_.stream_reset_burst, kCost * settings_.stream_reset_rate),
        "http2.rapid_reset");
  }
  // DATA without payload and without END_STREAM, one after the other (CVE-2019-9518).
  Verdict emptyFrame() {
    const uint64_t most = settings_.max_consecutive_inbound_empty_frames;
    return judge(most == 0 || empty_frames_.use(1, now_, most * std::max(open_, uint64_t{1}), 1),
                 "http2.inbound_empty_frames_flood");
  }
  Verdict priority() {
    const uint64_t most = settings_.max_inbound_priority_frames_per_stream;
    return judge(most == 0 || priorities_.use(1, now_, most * (1 + open_), kPrioritiesPerSecond * (1 + open_)),
                 "http2.inbound_priority_frames_flood");
  }
  Verdict windowUpdate() {
    const bool bounded = settings_.max_inbound_window_updates_per_data_frame > 0;
    return judge(!bounded || window_updates_.use(1, now_, 5 + 2 * open_, kUpdatesPerSecond * (1 + open_)),
                 "http2.inbound_window_update_frames_flood");
  }
  // A frame that asks for an answer or moves nothing on: PING, SETTINGS, frames on streams that are over.
  Verdict control(uint64_t weight = 1) {
    const uint64_t most = settings_.max_outbound_control_frames;
    return judge(most == 0 || control_.use(weight, now_, most + open_, kControlPerSecond + open_),
                 "http2.outbound_control_flood");
  }
  // DATA of a few bytes (CVE-2020-12603).
  Verdict tinyData() {
    tiny_frames_.giveBack(payload_ / kPayloadPerTinyFrame);
    payload_ %= kPayloadPerTinyFrame;
    return judge(tiny_frames_.use(1, now_, kFreeTinyFrames, kTinyPerSecond * (1 + open_)), "http2.tiny_data_flood");
  }
  // A head in front of the final one. A host may say for hours that it is still at work.
  Verdict informational() {
    constexpr uint64_t kOfStream = 32;
    return judge(informational_.use(1, now_, kOfStream * open_, open_), "http2.informational_flood");
  }
  // `frames` wait to be written, all of them caused by one piece of input.
  Verdict outbound(size_t frames) const {
    const uint32_t most = settings_.max_outbound_frames;
    return judge(most == 0 || frames <= most, "http2.outbound_frames_flood");
  }

  static constexpr size_t kTinyPayload = 4;  // bytes; a gRPC message or a WebSocket frame is longer

 private:
  static constexpr uint64_t kFramesPerStream = 2;      // tiny DATA, WINDOW_UPDATE, 1xx
  static constexpr uint32_t kRetiredPriorities = 10;   // with their stream
  static constexpr uint64_t kPrioritiesPerSecond = 1;  // a stream
  static constexpr uint64_t kUpdatesPerSecond = 5;     // a stream
  static constexpr uint64_t kControlPerSecond = 100;
  static constexpr uint64_t kFreeTinyFrames = 10'000;
  static constexpr uint64_t kTinyPerSecond = 100;  // a stream
  static constexpr uint64_t kPayloadPerTinyFrame = 256;

  static Verdict judge(bool fine, std::string_view detail) { return fine ? std::nullopt : Verdict(detail); }
  // A peer may take much before it opens its windows: so many frames' worth.
  uint64_t savedUpdates() const { return uint64_t{2'000} * settings_.max_inbound_window_updates_per_data_frame; }

  const Http2Settings& settings_;
  TimePoint now_{};
  uint64_t open_ = 0;  // streams
  uint64_t payload_ = 0;
  UsedUp control_;
  UsedUp empty_frames_;
  UsedUp priorities_;
  UsedUp window_updates_;
  UsedUp early_resets_;
  UsedUp tiny_frames_;
  UsedUp informational_;
};

}  // namespace sluice::http::h2
