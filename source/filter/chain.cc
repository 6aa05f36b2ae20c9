#include "source/filter/chain.h"

#include <bit>
#include <cassert>
#include <new>
#include <utility>

namespace sluice::filter {

using http::Name;

// --- which filters there are -----------------------------------------------------------------------------------------

ChainRunner::ChainRunner(const ChainConfig& config, Stream& stream, Downstream& downstream)
    : config_(config), stream_(stream), downstream_(downstream) {
  stream_.runner_ = this;
  filters_ = stream.arena().allocateArray<Installed>(config.size());
  for (size_t i = 0; i < config.size(); ++i) {
    new (&filters_[i]) Installed{nullptr, {stream, static_cast<uint8_t>(i)}};
    if (wanted(i)) {
      install(i);
    } else {
      absent_ |= uint32_t{1} << i;
    }
  }
}

ChainRunner::~ChainRunner() {
  end();
  for (size_t i = 0; i < config_.size(); ++i) {
    if (filters_[i].filter != nullptr) filters_[i].filter->~HttpFilter();
  }
}

bool ChainRunner::wanted(size_t index) const {
  const ChainConfig::Entry& entry = config_.entries()[index];
  if (entry.always) return true;
  const route::PerFilterConfig* of_route = stream_.route().filterEntry(entry.slot);
  return of_route != nullptr ? !of_route->disabled() : !entry.disabled;
}

void ChainRunner::install(size_t index) {
  filters_[index].filter = config_.entries()[index].factory->create(stream_.arena());
  absent_ &= ~(uint32_t{1} << index);
}

void ChainRunner::removeFilter(size_t index) {
  std::exchange(filters_[index].filter, nullptr)->~HttpFilter();
  absent_ |= uint32_t{1} << index;
}

size_t ChainRunner::next(Direction direction, ChainConfig::HookIndex hook, size_t position) const {
  for (;; ++position) {
    position = config_.next(direction, hook, position);
    if (absent_ == 0 || position == config_.size()) return position;
    if (!(absent_ >> config_.indexOf(direction, position) & 1)) return position;
  }
}

void ChainRunner::endOnce() {
  ended_ = true;
  tokens_.forEach([](ResumeToken& token) {
    token.runner_ = nullptr;
    token.unlink();
  });
  if (terminal_used_ && !terminal_done_) {
    terminal_done_ = true;
    terminal_->cancel();
  }
  if (!pumping_) reply_body_.reset();
  for (uint32_t left = config_.endHooks() & ~absent_; left != 0; left &= left - 1) {
    Installed& installed = filters_[std::countr_zero(left)];
    installed.filter->onStreamEnd(installed.context);
  }
}

http::HeaderList& ChainRunner::headersOf(Direction direction) {
  if (direction == Direction::kRequest) return stream_.request();
  return stream_.response();
}

// --- from contexts ---------------------------------------------------------------------------------------------------

ResumeToken ChainRunner::takeToken(size_t index) {
  const bool own = running_.hook != Hook::kNone && config_.indexOf(running_.direction, running_.position) == index;
  assert(own && !running_.token_taken);
  if (!own) return {};
  running_.token_taken = true;
  return ResumeToken(*this, running_.direction, running_.position);
}

void ChainRunner::emitData(Direction direction, size_t index, std::string_view bytes) {
  const size_t position = config_.indexOf(direction, index);
  const bool runs =
      running_.hook == Hook::kTrailers && running_.direction == direction && running_.position == position;
  const Stage* stage = lane(direction).at(position);
  const bool held = stage != nullptr && stage->state == Stage::kPaused && stage->holds == Stage::kTrailersHeld;
  assert(runs || held);
  if (!runs && !held) return;
  Chunk chunk(bytes, false);
  pushData(direction, position + 1, chunk);
}

bool ChainRunner::holdsHead(Direction direction, size_t position) const {
  if (running_.direction == direction && running_.position == position &&
      (running_.hook == Hook::kHeaders || running_.hook == Hook::kBody)) {
    return true;
  }
  const Stage* stage = lane(direction).at(position);
  if (stage == nullptr) return false;
  if (stage->state == Stage::kCollecting) return true;
  return stage->state == Stage::kPaused && (stage->holds == Stage::kHeadersHeld || stage->holds == Stage::kBodyHeld);
}

void ChainRunner::addTrailers(Direction direction, size_t index) {
  const size_t position = config_.indexOf(direction, index);
  lane(direction).adds_trailers |= uint32_t{1} << position;
  if (holdsHead(direction, position)) headersOf(direction).remove(Name::kContentLength);
}

bool ChainRunner::rematchRoute(size_t index) {
  const auto answered = [this] { return ended_ || lane(Direction::kRequest).closed; };
  if (answered() || !holdsHead(Direction::kRequest, index)) return false;
  stream_.chooseRoute();
  if (answered() || !tellRoute(index)) return false;
  // None of those behind has run yet.
  for (size_t i = index + 1; i < config_.size(); ++i) {
    const bool there = filters_[i].filter != nullptr;
    if (wanted(i) == there) continue;
    there ? removeFilter(i) : install(i);
  }
  return true;
}

bool ChainRunner::tellRoute(size_t count) {
  for (uint32_t left = config_.routeHooks(); left != 0; left &= left - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(left));
    if (i >= count) break;
    if (!wanted(i)) continue;
    auto& [filter, context] = filters_[i];
    HttpFilter* const asked = filter != nullptr ? filter : config_.entries()[i].factory->create(stream_.arena());
    std::optional<Reply> reply = asked->onRouteChanged(stream_.request(), context);
    if (filter == nullptr) asked->~HttpFilter();  // it only judges: no other hook of it is to run
    if (reply) replyFrom(Direction::kRequest, *reply);
    if (ended_ || lane(Direction::kRequest).closed) return false;
  }
  return true;
}

// --- hooks -----------------------------------------------------------------------------------------------------------

HookResult ChainRunner::callHeaders(Direction direction, size_t position, bool end_stream) {
  auto& [filter, context] = installedAt(direction, position);
  if (direction == Direction::kRequest) {
    context.request_headers_only_ = end_stream;
    return filter->onRequestHeaders(stream_.request(), context);
  }
  context.response_headers_only_ = end_stream;
  return filter->onResponseHeaders(stream_.response(), context);
}

HookResult ChainRunner::callData(Direction direction, size_t position, Chunk& chunk) {
  auto& [filter, context] = installedAt(direction, position);
  return direction == Direction::kRequest ? filter->onRequestData(chunk, context)
                                          : filter->onResponseData(chunk, context);
}

HookResult ChainRunner::callBody(Direction direction, size_t position, Body& body) {
  auto& [filter, context] = installedAt(direction, position);
  const bool headers_only = body.endStream() && body.bytes().empty();
  if (direction == Direction::kRequest) {
    context.request_headers_only_ = headers_only;
    return filter->onRequestBody(body, context);
  }
  context.response_headers_only_ = headers_only;
  return filter->onResponseBody(body, context);
}

HookResult ChainRunner::callTrailers(Direction direction, size_t position) {
  auto& [filter, context] = installedAt(direction, position);
  return direction == Direction::kRequest ? filter->onRequestTrailers(stream_.requestTrailers(), context)
                                          : filter->onResponseTrailers(stream_.responseTrailers(), context);
}

// --- the message on its way ------------------------------------------------------------------------------------------

void ChainRunner::pushHeaders(Direction direction, size_t position, bool end_stream) {
  for (;;) {
    if (lane(direction).dropsAt(position)) return;
    position = next(direction, ChainConfig::kHeaders, position);
    if (position == config_.size()) return deliverHeaders(direction, end_stream);
    const RunningHook running(*this, Hook::kHeaders, direction, position);
    HookResult result = callHeaders(direction, position, end_stream);
    if (ended_ || lane(direction).closed) return;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kCollect:
        return collect(direction, position, result.collect(), end_stream);
      case HookResult::Kind::kPause: {
        if (paused(direction, position, Stage::kHeadersHeld, end_stream)) return;
        InlineResume resumed = takeInline();
        if (resumed.collect) return collect(direction, position, *resumed.collect, end_stream);
        if (resumed.replacement) {
          stageAt(direction, position).holds = Stage::kHeadersHeld;
          stageAt(direction, position).holds_end = end_stream;
          return reopen(direction, position, std::move(resumed.replacement));
        }
        break;
      }
      case HookResult::Kind::kReply:
        if (direction == Direction::kResponse && result.reply().as_response) {
          return replyAsResponse(position, result.reply());
        }
        return replyFrom(direction, result.reply());
    }
    if (end_stream && lane(direction).addsTrailers(position)) {
      pushHeaders(direction, position + 1, false);
      return pushTrailers(direction, position + 1);
    }
    ++position;
  }
}

void ChainRunner::pushData(Direction direction, size_t position, Chunk& chunk, bool draining) {
  for (;;) {
    Lane& in = lane(direction);
    if (ended_ || in.dropsAt(position)) return;
    const size_t next = this->next(direction, ChainConfig::kData, position);
    if (in.blockedFrom(position) != 0) {
      const size_t blocked = in.firstBlocked(position, std::exchange(draining, false));
      if (blocked != Lane::kNone && blocked <= next) return wait(direction, blocked, chunk);
    }
    if (next == config_.size()) return deliverData(direction, chunk.bytes(), chunk.endStream());
    position = next;
    const RunningHook running(*this, Hook::kData, direction, position);
    HookResult result = callData(direction, position, chunk);
    if (ended_ || in.closed) return;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kChunkHeld, chunk.endStream())) {
          Stage& stage = stageAt(direction, position);
          stage.chunk.assign(chunk.bytes());
          in.held += stage.chunk.size();
          return;
        }
        if (InlineResume resumed = takeInline(); resumed.replacement) chunk.replace(*std::move(resumed.replacement));
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
      case HookResult::Kind::kCollect:
        // Only a head can be held for its body: by now it may be gone.
        assert(false && "Collect is for headers hooks");
        return tokenDropped();
    }
    if (chunk.endStream() && in.addsTrailers(position)) {
      chunk.end_stream_ = false;
      pushData(direction, position + 1, chunk);
      return pushTrailers(direction, position + 1);
    }
    ++position;
  }
}

void ChainRunner::pushTrailers(Direction direction, size_t position, bool draining) {
  for (;;) {
    Lane& in = lane(direction);
    if (ended_ || in.dropsAt(position)) return;
    const size_t next = this->next(direction, ChainConfig::kTrailers, position);
    if (in.blockedFrom(position) != 0) {
      const size_t blocked = in.firstBlocked(position, std::exchange(draining, false));
      if (blocked != Lane::kNone && blocked <= next) {
        Stage& stage = stageAt(direction, blocked);
        stage.waiting_trailers = true;
        if (stage.state == Stage::kCollecting) finishCollect(direction, blocked);
        return;
      }
    }
    if (next == config_.size()) return deliverTrailers(direction);
    position = next;
    const RunningHook running(*this, Hook::kTrailers, direction, position);
    HookResult result = callTrailers(direction, position);
    if (ended_ || in.closed) return;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kTrailersHeld, true)) return;
        takeInline();
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
      case HookResult::Kind::kCollect:
        assert(false && "Collect is for headers hooks");
        return tokenDropped();
    }
    ++position;
  }
}

void ChainRunner::deliverHeaders(Direction direction, bool end_stream) {
  if (ended_ || lane(direction).closed) return;
  if (direction == Direction::kRequest) {
    stream_.chooseByMetadata();
    // Also where it is the one of the beginning: a filter may have judged by a user whom one behind it has changed. The
    // shares of a matcher have the settings of their route.
    const route::Match& match = stream_.route();
    const bool by_user = match.choice != nullptr && match.route->forward->choice->split != nullptr;
    if (by_user && !tellRoute(config_.size())) return;
    terminal_used_ = true;
    terminal_->requestHeaders(end_stream);
  } else {
    response_sent_headers_ = true;
    downstream_.sendResponseHeaders(stream_.response(), end_stream);
  }
}

void ChainRunner::deliverData(Direction direction, std::string_view data, bool end_stream) {
  if (data.empty() && !end_stream) return;  // a filter took it all
  if (direction == Direction::kRequest) {
    if (!terminal_done_) terminal_->requestData(data, end_stream);
  } else {
    downstream_.sendResponseData(data, end_stream);
  }
}

void ChainRunner::deliverTrailers(Direction direction) {
  if (direction == Direction::kRequest) {
    if (!terminal_done_) terminal_->requestTrailers();
  } else if (stream_.responseTrailers().empty()) {  // a filter took them all
    downstream_.sendResponseData({}, true);
  } else {
    downstream_.sendResponseTrailers(stream_.responseTrailers());
  }
}

}  // namespace sluice::filter
