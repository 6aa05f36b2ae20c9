// Stages that are not open: what waits at them, and how it goes on.
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/filter/chain.h"

namespace sluice::filter {

using http::Name;

Stage& ChainRunner::stageAt(Direction direction, size_t position) {
  Lane& in = lane(direction);
  if (in.stages.empty()) in.stages.resize(config_.size());
  if (!in.stages[position]) in.stages[position] = std::make_unique<Stage>();
  return *in.stages[position];
}

bool ChainRunner::paused(Direction direction, size_t position, Stage::Holds holds, bool end_stream) {
  if (running_.resumed) return false;
  bool waited_for = false;
  tokens_.forEach(
      [&](ResumeToken& token) { waited_for |= token.direction_ == direction && token.position_ == position; });
  if (!waited_for) {  // nobody could ever resume it
    tokenDropped();
    return true;
  }
  Stage& stage = stageAt(direction, position);
  stage.state = Stage::kPaused;
  stage.holds = holds;
  stage.holds_end = end_stream;
  lane(direction).blocked |= uint32_t{1} << position;
  return true;
}

ChainRunner::InlineResume ChainRunner::takeInline() {
  const std::unique_ptr<InlineResume> taken = std::move(inline_resume_);
  return taken ? std::move(*taken) : InlineResume{};
}

void ChainRunner::wait(Direction direction, size_t position, Chunk& chunk) {
  Stage& stage = stageAt(direction, position);
  stage.waiting.append(chunk.bytes());
  lane(direction).held += chunk.bytes().size();
  stage.waiting_end |= chunk.endStream();
  if (stage.state != Stage::kCollecting) return;
  if (stage.waiting.size() > stage.limit && !stage.partial) return refuseBody(direction);
  if (chunk.endStream() || stage.waiting.size() > stage.limit) finishCollect(direction, position);
}

// --- collecting ------------------------------------------------------------------------------------------------------

void ChainRunner::collect(Direction direction, size_t position, Collect collect, bool end_stream) {
  Stage& stage = stageAt(direction, position);
  stage.state = Stage::kCollecting;
  stage.limit = collect.limit;
  stage.partial = collect.partial;
  lane(direction).blocked |= uint32_t{1} << position;
  stage.waiting_end |= end_stream;
  if (end_stream || asksTunnel(direction)) finishCollect(direction, position);
}

// The message is its head: the bytes behind it are of a tunnel, and have no end to wait for.
bool ChainRunner::asksTunnel(Direction direction) const {
  return direction == Direction::kRequest ? stream_.request().wantsTunnel() : tunnel_open_;
}

void ChainRunner::finishCollect(Direction direction, size_t position) {
  Stage& stage = stageAt(direction, position);
  Lane& in = lane(direction);
  stage.state = Stage::kDraining;  // the rest of a partial body waits
  const bool complete = stage.waiting_end || stage.waiting_trailers || asksTunnel(direction);
  const bool end_stream = std::exchange(stage.waiting_end, false);
  std::string bytes = std::exchange(stage.waiting, {});
  const size_t size_before = bytes.size();
  std::optional<std::string> replacement;
  std::optional<Collect> more;
  {
    const RunningHook running(*this, Hook::kBody, direction, position);
    Body body(bytes, complete, end_stream);
    HookResult result = callBody(direction, position, body);
    if (ended_ || in.closed) return;
    in.held += bytes.size() - size_before;
    if (body.replaced_) fixLength(direction, bytes.size(), end_stream && !in.addsTrailers(position));
    // The hook has seen the body: it waits behind the headers as a chunk would that was paused on.
    stage.chunk = std::move(bytes);
    stage.holds = Stage::kBodyHeld;
    stage.holds_end = end_stream;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kBodyHeld, end_stream)) return;
        replacement = takeInline().replacement;
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
      case HookResult::Kind::kCollect:
        if (complete || body.replaced_ || result.collect().limit < stage.chunk.size()) {
          assert(false && "Collect of a body hook is for more than the beginning that it was given");
          return tokenDropped();
        }
        more = result.collect();
        break;
    }
  }
  if (!more) return reopen(direction, position, std::move(replacement));
  stage.waiting.insert(0, std::exchange(stage.chunk, {}));
  collectHeld(direction, position, *more);
}

// After a collected body was replaced. With trailers or more body behind it only the framing tells the length.
void ChainRunner::fixLength(Direction direction, size_t size, bool whole) {
  http::HeaderList& headers = headersOf(direction);
  if (whole) {
    headers.set(Name::kContentLength, absl::StrCat(size));
  } else {
    headers.remove(Name::kContentLength);
  }
}

// A collected body is larger than its filter takes.
void ChainRunner::refuseBody(Direction direction) {
  Reply too_large = direction == Direction::kRequest
                        ? Reply{413, "Payload Too Large", "request_payload_too_large"}
                        : Reply{500, "Internal Server Error", "response_payload_too_large"};
  replyFrom(direction, too_large);
}

// --- going on --------------------------------------------------------------------------------------------------------

void ChainRunner::resume(Direction direction, size_t position, std::optional<std::string> replacement) {
  if (ended_) return;
  const bool hook_running = running_.token_taken && running_.direction == direction && running_.position == position;
  const Stage* stage = lane(direction).at(position);
  const bool waits = stage != nullptr && stage->state == Stage::kPaused;
  if (hook_running && !waits) {  // Pause is still to be returned
    running_.resumed = true;
    if (replacement) inline_resume_.reset(new InlineResume{std::move(replacement), {}});
    return;
  }
  reopen(direction, position, std::move(replacement));
}

void ChainRunner::resumeCollecting(Direction direction, size_t position, Collect collect) {
  if (ended_) return;
  const Stage* waiting = lane(direction).at(position);
  if (waiting == nullptr || waiting->state != Stage::kPaused) {  // Pause is still to be returned
    running_.resumed = true;
    inline_resume_.reset(new InlineResume{{}, collect});
    return;
  }
  Stage& stage = stageAt(direction, position);
  if (stage.holds != Stage::kHeadersHeld) {
    assert(false && "only a head can be held for its body");
    return tokenDropped();
  }
  if (stage.holds_end || asksTunnel(direction)) return reopen(direction, position, std::nullopt);
  collectHeld(direction, position, collect);
}

// What came while the head was held counts.
void ChainRunner::collectHeld(Direction direction, size_t position, Collect collect) {
  Stage& stage = stageAt(direction, position);
  stage.holds = Stage::kNothing;
  this->collect(direction, position, collect, false);
  const bool too_large = stage.waiting.size() > stage.limit;
  if (too_large && !stage.partial) return refuseBody(direction);
  if (too_large || stage.waiting_end || stage.waiting_trailers) return finishCollect(direction, position);
  creditGrew(direction);
}

// Sends on what a stage holds, then what arrived since. Until all of it is gone the stage stays blocked: whatever comes
// in meanwhile, from somewhere below this call, waits behind it.
void ChainRunner::reopen(Direction direction, size_t position, std::optional<std::string> replacement) {
  Lane& in = lane(direction);
  Stage& stage = stageAt(direction, position);
  stage.state = Stage::kDraining;
  in.blocked |= uint32_t{1} << position;
  const Stage::Holds holds = std::exchange(stage.holds, Stage::kNothing);
  const bool ends_message = stage.holds_end && holds != Stage::kNothing && holds != Stage::kTrailersHeld;
  const bool trailers = ends_message && in.addsTrailers(position);
  const bool holds_end = stage.holds_end && !trailers;
  std::string chunk = std::exchange(stage.chunk, {});
  in.held -= chunk.size();
  if (replacement) {
    if (holds == Stage::kBodyHeld) fixLength(direction, replacement->size(), holds_end);
    chunk = *std::move(replacement);
  }
  sendHeld(direction, position, holds, std::move(chunk), holds_end);
  if (trailers) pushTrailers(direction, position + 1);
  drain(direction, position);
  if (!ended_) creditGrew(direction);
}

// `chunk`: of a head that was held, a body to put behind it.
void ChainRunner::sendHeld(Direction direction, size_t position, Stage::Holds holds, std::string chunk,
                           bool end_stream) {
  switch (holds) {
    case Stage::kNothing:
      return;
    case Stage::kHeadersHeld:
    case Stage::kBodyHeld:
      pushHeaders(direction, position + 1, end_stream && chunk.empty());
      if (chunk.empty()) return;
      [[fallthrough]];
    case Stage::kChunkHeld: {
      Chunk held(chunk, end_stream);
      return pushData(direction, position + 1, held);
    }
    case Stage::kTrailersHeld:
      return pushTrailers(direction, position + 1);
  }
}

// Gives a stage that is being opened what arrived while it was not.
void ChainRunner::drain(Direction direction, size_t position) {
  Lane& in = lane(direction);
  Stage& stage = stageAt(direction, position);
  while (!ended_ && !in.closed && stage.state == Stage::kDraining) {
    if (!stage.waiting.empty() || stage.waiting_end) {
      const std::string waiting = std::exchange(stage.waiting, {});
      in.held -= waiting.size();
      Chunk chunk(waiting, std::exchange(stage.waiting_end, false));
      pushData(direction, position, chunk, true);
    } else if (std::exchange(stage.waiting_trailers, false)) {
      pushTrailers(direction, position, true);
    } else {
      stage.state = Stage::kOpen;
      in.blocked &= ~(uint32_t{1} << position);
    }
  }
}

}  // namespace sluice::filter
