#include "source/filter/chain.h"

#include <bit>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"

namespace sluice::filter {

using http::Name;

// --- ChainConfig
// ------------------------------------------------------------------------------------------------------

ChainConfig::ChainConfig(std::vector<Entry> entries) : entries_(std::move(entries)) {
  assert(entries_.size() <= kMaxFilters);
  static constexpr Hooks kHooks[2][kHookKinds] = {{kRequestHeaders, kRequestData, kRequestTrailers},
                                                  {kResponseHeaders, kResponseData, kResponseTrailers}};
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].factory->hooks() & kStreamEnd) end_hooks_ |= uint32_t{1} << i;
  }
  for (const Direction direction : {Direction::kRequest, Direction::kResponse}) {
    for (int hook = 0; hook < kHookKinds; ++hook) {
      auto& next = next_[static_cast<size_t>(direction)][hook];
      uint8_t found = static_cast<uint8_t>(entries_.size());
      next[entries_.size()] = found;
      for (size_t position = entries_.size(); position-- > 0;) {
        const uint8_t hooks = entries_[indexOf(direction, position)].factory->hooks();
        if (hooks & kHooks[static_cast<size_t>(direction)][hook]) found = static_cast<uint8_t>(position);
        next[position] = found;
      }
    }
  }
}

// --- ResumeToken
// ------------------------------------------------------------------------------------------------------

ResumeToken::ResumeToken(ChainRunner& runner, Direction direction, uint8_t position)
    : runner_(&runner), direction_(direction), position_(position) {
  runner.tokens_.pushBack(*this);
}

ResumeToken::ResumeToken(ResumeToken&& other) noexcept {
  *this = std::move(other);
}

ResumeToken& ResumeToken::operator=(ResumeToken&& other) noexcept {
  if (this == &other) return *this;
  drop();
  runner_ = std::exchange(other.runner_, nullptr);
  direction_ = other.direction_;
  position_ = other.position_;
  other.unlink();
  if (runner_ != nullptr) runner_->tokens_.pushBack(*this);
  return *this;
}

void ResumeToken::resume() {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resume(direction_, position_, std::nullopt);
}

void ResumeToken::resumeWith(std::string chunk) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resume(direction_, position_, std::move(chunk));
}

void ResumeToken::collect(Collect collect) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resumeCollecting(direction_, position_, collect);
}

void ResumeToken::reply(Reply reply) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->replyFrom(direction_, reply);
}

void ResumeToken::drop() {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->tokenDropped();
}

// --- Stream
// -----------------------------------------------------------------------------------------------------------

ResumeToken Stream::resumeToken() {
  assert(runner_->in_hook_ && !runner_->token_taken_);
  runner_->token_taken_ = true;
  return ResumeToken(*runner_, runner_->running_direction_, static_cast<uint8_t>(runner_->running_position_));
}

bool Stream::headersOnly() const {
  return runner_->headers_only_;
}

void Stream::emitData(std::string_view bytes) {
  Chunk chunk(bytes, false);
  runner_->pushData(runner_->running_direction_, runner_->running_position_ + 1, chunk);
}

const route::PerFilterConfig* Stream::routeConfig() const {
  const size_t index = runner_->config_.indexOf(runner_->running_direction_, runner_->running_position_);
  return route_.perFilter(runner_->config_.entries()[index].slot);
}

// --- ChainRunner
// ------------------------------------------------------------------------------------------------------

ChainRunner::ChainRunner(const ChainConfig& config, Stream& stream, Downstream& downstream)
    : config_(config), stream_(stream), downstream_(downstream) {
  stream_.runner_ = this;
  filters_ = stream.arena().allocateArray<HttpFilter*>(config.size());
  for (size_t i = 0; i < config.size(); ++i) {
    filters_[i] = config.entries()[i].factory->create(stream.arena());
    const route::PerFilterConfig* settings = stream.route().perFilter(config.entries()[i].slot);
    if (settings != nullptr && settings->disabled()) disabled_ |= uint32_t{1} << i;
  }
}

ChainRunner::~ChainRunner() {
  end();
  for (size_t i = 0; i < config_.size(); ++i) filters_[i]->~HttpFilter();
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
  for (uint32_t left = config_.endHooks() & ~disabled_; left != 0; left &= left - 1) {
    filters_[std::countr_zero(left)]->onStreamEnd(stream_);
  }
}

size_t ChainRunner::next(Direction direction, ChainConfig::HookIndex hook, size_t position) const {
  for (;; ++position) {
    position = config_.next(direction, hook, position);
    if (disabled_ == 0 || position == config_.size()) return position;
    if (!(disabled_ >> config_.indexOf(direction, position) & 1)) return position;
  }
}

ChainRunner::Stage& ChainRunner::stageAt(Direction direction, size_t position) {
  Lane& in = lane(direction);
  if (in.stages.empty()) in.stages.resize(config_.size());
  if (!in.stages[position]) in.stages[position] = std::make_unique<Stage>();
  return *in.stages[position];
}

HttpFilter& ChainRunner::filterAt(Direction direction, size_t position) {
  return *filters_[config_.indexOf(direction, position)];
}

namespace {

// Marks which hook runs, so that the stream knows whom a token belongs to. Hooks nest when one emits data.
template <typename T>
class Restore {
 public:
  Restore(T& place, T value) : place_(place), before_(place) { place = value; }
  ~Restore() { place_ = before_; }

 private:
  T& place_;
  T before_;
};

}  // namespace

#define SLUICE_RUNNING_HOOK(direction, position)                       \
  Restore<Direction> restore_direction(running_direction_, direction); \
  Restore<size_t> restore_position(running_position_, position);       \
  Restore<bool> restore_taken(token_taken_, false);                    \
  Restore<bool> restore_resumed(resumed_inline_, false);               \
  Restore<bool> restore_in_hook(in_hook_, true)

HookResult ChainRunner::callHeaders(Direction direction, HttpFilter& filter) {
  return direction == Direction::kRequest ? filter.onRequestHeaders(stream_.request(), stream_)
                                          : filter.onResponseHeaders(stream_.response(), stream_);
}

HookResult ChainRunner::callTrailers(Direction direction, HttpFilter& filter) {
  return direction == Direction::kRequest ? filter.onRequestTrailers(stream_.requestTrailers(), stream_)
                                          : filter.onResponseTrailers(stream_.responseTrailers(), stream_);
}

void ChainRunner::pushHeaders(Direction direction, size_t position, bool end_stream) {
  for (;;) {
    position = next(direction, ChainConfig::kHeaders, position);
    if (position == config_.size()) return deliverHeaders(direction, end_stream);
    SLUICE_RUNNING_HOOK(direction, position);
    headers_only_ = end_stream;
    HookResult result = callHeaders(direction, filterAt(direction, position));
    if (ended_ || lane(direction).closed) return;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kCollect:
        return collect(direction, position, result.collect(), end_stream);
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kHeadersHeld, end_stream)) return;
        if (inline_collect_) return collect(direction, position, *std::exchange(inline_collect_, {}), end_stream);
        if (inline_replacement_) {
          stageAt(direction, position).holds = Stage::kHeadersHeld;
          stageAt(direction, position).holds_end = end_stream;
          return reopen(direction, position, std::exchange(inline_replacement_, std::nullopt));
        }
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
    }
    ++position;
  }
}

void ChainRunner::pushData(Direction direction, size_t position, Chunk& chunk, bool draining) {
  for (;;) {
    Lane& in = lane(direction);
    if (ended_ || in.closed) return;
    const size_t next = this->next(direction, ChainConfig::kData, position);
    if (uint32_t blocked = in.blocked >> position; blocked != 0) {
      if (std::exchange(draining, false)) blocked &= ~uint32_t{1};
      const size_t first_blocked = position + std::countr_zero(blocked);
      if (blocked != 0 && first_blocked <= next) return wait(direction, first_blocked, chunk);
    }
    if (next == config_.size()) return deliverData(direction, chunk.bytes(), chunk.endStream());
    position = next;
    SLUICE_RUNNING_HOOK(direction, position);
    HttpFilter& filter = filterAt(direction, position);
    HookResult result =
        direction == Direction::kRequest ? filter.onRequestData(chunk, stream_) : filter.onResponseData(chunk, stream_);
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
        if (inline_replacement_) chunk.replace(*std::exchange(inline_replacement_, std::nullopt));
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
      case HookResult::Kind::kCollect:
        // Only a head can be held for its body: by now it may be gone.
        assert(false && "Collect is for headers hooks");
        return tokenDropped();
    }
    ++position;
  }
}

void ChainRunner::pushTrailers(Direction direction, size_t position, bool draining) {
  for (;;) {
    Lane& in = lane(direction);
    if (ended_ || in.closed) return;
    const size_t next = this->next(direction, ChainConfig::kTrailers, position);
    if (uint32_t blocked = in.blocked >> position; blocked != 0) {
      if (std::exchange(draining, false)) blocked &= ~uint32_t{1};
      const size_t first_blocked = position + std::countr_zero(blocked);
      if (blocked != 0 && first_blocked <= next) {
        Stage& stage = stageAt(direction, first_blocked);
        stage.waiting_trailers = true;
        if (stage.state == Stage::kCollecting) finishCollect(direction, first_blocked);
        return;
      }
    }
    if (next == config_.size()) return deliverTrailers(direction);
    position = next;
    SLUICE_RUNNING_HOOK(direction, position);
    HookResult result = callTrailers(direction, filterAt(direction, position));
    if (ended_ || in.closed) return;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kTrailersHeld, true)) return;
        inline_replacement_.reset();
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

bool ChainRunner::paused(Direction direction, size_t position, Stage::Holds holds, bool end_stream) {
  if (resumed_inline_) return false;
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

void ChainRunner::wait(Direction direction, size_t position, Chunk& chunk) {
  Stage& stage = stageAt(direction, position);
  stage.waiting.append(chunk.bytes());
  lane(direction).held += chunk.bytes().size();
  stage.waiting_end |= chunk.endStream();
  if (stage.state != Stage::kCollecting) return;
  if (stage.waiting.size() > stage.limit && !stage.partial) return refuseBody(direction);
  if (chunk.endStream() || stage.waiting.size() > stage.limit) finishCollect(direction, position);
}

HookResult ChainRunner::callBody(Direction direction, HttpFilter& filter, Body& body) {
  return direction == Direction::kRequest ? filter.onRequestBody(body, stream_) : filter.onResponseBody(body, stream_);
}

void ChainRunner::finishCollect(Direction direction, size_t position) {
  Stage& stage = stageAt(direction, position);
  Lane& in = lane(direction);
  stage.state = Stage::kDraining;  // the rest of a partial body waits
  const bool complete = stage.waiting_end || stage.waiting_trailers || asksTunnel(direction);
  const bool end_stream = std::exchange(stage.waiting_end, false);
  std::string bytes = std::exchange(stage.waiting, {});
  const size_t size_before = bytes.size();
  {
    SLUICE_RUNNING_HOOK(direction, position);
    headers_only_ = end_stream && bytes.empty();
    Body body(bytes, complete, end_stream);
    HookResult result = callBody(direction, filterAt(direction, position), body);
    if (ended_ || in.closed) return;
    in.held += bytes.size() - size_before;
    if (body.replaced_) fixLength(direction, bytes.size(), end_stream);
    // The hook has seen the body: it waits behind the headers as a chunk would that was paused on.
    stage.chunk = std::move(bytes);
    stage.holds = Stage::kBodyHeld;
    stage.holds_end = end_stream;
    switch (result.kind()) {
      case HookResult::Kind::kNext:
        break;
      case HookResult::Kind::kPause:
        if (paused(direction, position, Stage::kBodyHeld, end_stream)) return;
        break;
      case HookResult::Kind::kReply:
        return replyFrom(direction, result.reply());
      case HookResult::Kind::kCollect:
        assert(false && "Collect is for headers hooks");
        return tokenDropped();
    }
  }
  reopen(direction, position, std::exchange(inline_replacement_, std::nullopt));
}

// After a collected body was replaced. With trailers or more body behind it only the framing tells the length.
void ChainRunner::fixLength(Direction direction, size_t size, bool whole) {
  http::HeaderList& headers = direction == Direction::kRequest ? static_cast<http::HeaderList&>(stream_.request())
                                                               : static_cast<http::HeaderList&>(stream_.response());
  if (whole) {
    headers.set(Name::kContentLength, absl::StrCat(size));
  } else {
    headers.remove(Name::kContentLength);
  }
}

void ChainRunner::resume(Direction direction, size_t position, std::optional<std::string> replacement) {
  if (ended_) return;
  const Lane& in = lane(direction);
  const bool hook_running =
      in_hook_ && running_direction_ == direction && running_position_ == position && token_taken_;
  const bool waits = !in.stages.empty() && in.stages[position] && in.stages[position]->state == Stage::kPaused;
  if (hook_running && !waits) {  // Pause is still to be returned
    resumed_inline_ = true;
    inline_replacement_ = std::move(replacement);
    return;
  }
  reopen(direction, position, std::move(replacement));
}

void ChainRunner::resumeCollecting(Direction direction, size_t position, Collect collect) {
  if (ended_) return;
  Lane& in = lane(direction);
  const bool waits = !in.stages.empty() && in.stages[position] && in.stages[position]->state == Stage::kPaused;
  if (!waits) {  // Pause is still to be returned
    resumed_inline_ = true;
    inline_collect_ = collect;
    return;
  }
  Stage& stage = *in.stages[position];
  if (stage.holds != Stage::kHeadersHeld) {
    assert(false && "only a head can be held for its body");
    return tokenDropped();
  }
  if (stage.holds_end || asksTunnel(direction)) return reopen(direction, position, std::nullopt);
  stage.holds = Stage::kNothing;
  this->collect(direction, position, collect, false);
  // What came while the head was held counts.
  const bool too_large = stage.waiting.size() > stage.limit;
  if (too_large && !stage.partial) return refuseBody(direction);
  if (too_large || stage.waiting_end || stage.waiting_trailers) return finishCollect(direction, position);
  creditGrew(direction);
}

// A collected body is larger than its filter takes.
void ChainRunner::refuseBody(Direction direction) {
  Reply too_large = direction == Direction::kRequest
                        ? Reply{413, "Payload Too Large", "request_payload_too_large"}
                        : Reply{500, "Internal Server Error", "response_payload_too_large"};
  replyFrom(direction, too_large);
}

// Sends on what a stage holds, then what arrived since. Until all of it is gone the stage stays blocked: whatever comes
// in meanwhile, from somewhere below this call, waits behind it.
void ChainRunner::reopen(Direction direction, size_t position, std::optional<std::string> replacement) {
  Lane& in = lane(direction);
  Stage& stage = stageAt(direction, position);
  stage.state = Stage::kDraining;
  in.blocked |= uint32_t{1} << position;
  const Stage::Holds holds = std::exchange(stage.holds, Stage::kNothing);
  const bool holds_end = stage.holds_end;
  std::string chunk = std::exchange(stage.chunk, {});
  in.held -= chunk.size();
  if (replacement && holds == Stage::kChunkHeld) chunk = std::move(*replacement);
  if (replacement && holds == Stage::kBodyHeld) {
    chunk = std::move(*replacement);
    fixLength(direction, chunk.size(), holds_end);
  }
  switch (holds) {
    case Stage::kNothing:
      break;
    case Stage::kHeadersHeld:
      if (!replacement || replacement->empty()) {
        pushHeaders(direction, position + 1, holds_end);
      } else {
        pushHeaders(direction, position + 1, false);
        Chunk behind(*replacement, holds_end);
        pushData(direction, position + 1, behind);
      }
      break;
    case Stage::kBodyHeld:
      pushHeaders(direction, position + 1, holds_end && chunk.empty());
      if (chunk.empty()) break;
      [[fallthrough]];
    case Stage::kChunkHeld: {
      Chunk held(chunk, holds_end);
      pushData(direction, position + 1, held);
      break;
    }
    case Stage::kTrailersHeld:
      pushTrailers(direction, position + 1);
      break;
  }
  drain(direction, position);
  if (!ended_) creditGrew(direction);
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

void ChainRunner::deliverHeaders(Direction direction, bool end_stream) {
  if (ended_ || lane(direction).closed) return;
  if (direction == Direction::kRequest) {
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

// --- local replies
// ----------------------------------------------------------------------------------------------------

namespace {

// A trailers-only response: one head that ends the stream.
void fillGrpcReply(const Reply& reply, http::ResponseHeaders& headers) {
  headers.status = 200;
  headers.addView(Name::kContentType, http::grpc::kContentType);
  headers.add(Name::kGrpcStatus, absl::StrCat(reply.grpc_status.value_or(http::grpc::statusOfHttp(reply.status))));
  if (!reply.body.empty()) {
    constexpr size_t kMaxMessage = 1024;  // a header has less room than a body
    headers.add(Name::kGrpcMessage, http::grpc::encodeMessage(std::string_view(reply.body).substr(0, kMaxMessage)));
  }
  for (const auto& [name, value] : reply.headers) {
    const Name id = http::nameOf(name);
    if (id != Name::kContentType && id != Name::kContentLength) headers.add(name, value);
  }
}

}  // namespace

void ChainRunner::replyFrom(Direction direction, Reply& reply) {
  // A filter of the response way that refuses the response: its answer takes the other's place and is not shown to the
  // filters, some of which have seen the first one.
  sendReply(reply, direction == Direction::kRequest);
}

void ChainRunner::localReply(Reply reply) {
  sendReply(reply, true);
}

void ChainRunner::sendReply(Reply& reply, bool through_filters) {
  if (ended_) return;
  lane(Direction::kRequest).closed = true;
  killTokens(Direction::kRequest);
  if (terminal_used_ && !terminal_done_) {
    terminal_done_ = true;
    terminal_->cancel();
  }
  terminal_done_ = true;
  stream_.info().response_code_details = reply.details;
  if (reply.flag) stream_.info().response_flags.set(*reply.flag);
  if (response_sent_headers_) return downstream_.resetStream(reply.details);
  if (response_began_) {
    // The filters have (some of) the old response; what they hold of it is void.
    killTokens(Direction::kResponse);
    through_filters = false;
  }
  response_began_ = true;
  // The caller may be a hook that still uses what the reply refers to; the body is ours.
  const std::string body = fillReply(reply);
  const bool end_stream = body.empty();
  if (!through_filters) {
    lane(Direction::kResponse).closed = true;  // for what still comes from behind
    response_sent_headers_ = true;
    downstream_.sendResponseHeaders(stream_.response(), end_stream);
    if (!end_stream && !ended_) downstream_.sendResponseData(body, true);
    return;
  }
  pushHeaders(Direction::kResponse, 0, end_stream);
  if (!end_stream) {
    Chunk chunk(body, true);
    pushData(Direction::kResponse, 0, chunk);
  }
  // Where filters hold the reply back, the rest of the request is read meanwhile.
  if (!request_complete_) requestProgress();
}

std::string ChainRunner::fillReply(Reply& reply) {
  http::ResponseHeaders& headers = stream_.response();
  headers.clear();
  headers.reason = {};
  headers.status = reply.status;
  const bool redirect = reply.status >= 300 && reply.status < 400;
  if (!redirect && http::grpc::isGrpcRequest(stream_.request())) {
    fillGrpcReply(reply, headers);
    return {};
  }
  if (reply.status != 204) headers.add(Name::kContentLength, absl::StrCat(reply.body.size()));  // RFC 9110 8.6
  bool has_type = false;
  for (const auto& [name, value] : reply.headers) {
    has_type |= name == "content-type";
    headers.add(name, value);
  }
  if (!has_type && !reply.body.empty()) headers.addView(Name::kContentType, "text/plain");
  return std::move(reply.body);
}

// Of what a local reply makes void: nobody waits for these any more.
void ChainRunner::killTokens(Direction direction) {
  tokens_.forEach([direction](ResumeToken& token) {
    if (token.direction_ != direction) return;
    token.runner_ = nullptr;
    token.unlink();
  });
}

void ChainRunner::tokenDropped() {
  if (!ended_) downstream_.resetStream(kTokenDropped);
}

// --- the ends
// ---------------------------------------------------------------------------------------------------------

void ChainRunner::requestHeaders(bool end_stream) {
  request_complete_ = end_stream;
  pushHeaders(Direction::kRequest, 0, end_stream);
}

void ChainRunner::requestData(std::string_view data, bool end_stream) {
  if (end_stream) request_complete_ = true;
  if (ended_ || lane(Direction::kRequest).closed) return;
  Chunk chunk(data, end_stream);
  pushData(Direction::kRequest, 0, chunk);
}

void ChainRunner::requestTrailers() {
  request_complete_ = true;
  if (ended_ || lane(Direction::kRequest).closed) return;
  pushTrailers(Direction::kRequest, 0);
}

// A stage that collects needs its whole body, and one byte more to see that it is too large.
size_t ChainRunner::windowOf(const Lane& lane) const {
  size_t window = window_;
  for (const auto& stage : lane.stages) {
    if (stage && stage->state == Stage::kCollecting && stage->limit >= window) {
      window = std::min(stage->limit, SIZE_MAX - 1) + 1;
    }
  }
  return window;
}

size_t ChainRunner::requestCredit() const {
  const Lane& in = lanes_[0];
  if (in.closed) return kWindow;  // the rest is read and dropped
  const size_t window = windowOf(in);
  const size_t used = requestHeld();
  return used >= window ? 0 : window - used;
}

size_t ChainRunner::requestHeld() const {
  if (lanes_[0].closed) return 0;
  return lanes_[0].held + (terminal_used_ && !terminal_done_ ? terminal_->unsentRequestBytes() : 0);
}

size_t ChainRunner::responseCredit() const {
  const Lane& in = lanes_[1];
  if (in.closed) return kWindow;
  const size_t window = windowOf(in);
  const size_t used = in.held + downstream_.unsentResponseBytes();
  return used >= window ? 0 : window - used;
}

void ChainRunner::requestProgress() {
  if (!ended_) downstream_.requestCreditGrew();
}

void ChainRunner::responseProgress() {
  if (!ended_ && terminal_used_ && !terminal_done_) terminal_->responseCreditGrew();
}

void ChainRunner::creditGrew(Direction direction) {
  if (direction == Direction::kRequest) {
    requestProgress();
  } else {
    responseProgress();
  }
}

void ChainRunner::responseHeaders(bool end_stream) {
  if (ended_ || terminal_done_) return;
  response_began_ = true;
  if (end_stream && !tunnel_open_) terminal_done_ = true;
  pushHeaders(Direction::kResponse, 0, end_stream);
}

void ChainRunner::responseData(std::string_view data, bool end_stream) {
  if (ended_ || terminal_done_) return;
  if (end_stream && !tunnel_open_) terminal_done_ = true;
  Chunk chunk(data, end_stream);
  pushData(Direction::kResponse, 0, chunk);
}

void ChainRunner::responseTrailers() {
  if (ended_ || terminal_done_) return;
  terminal_done_ = true;
  pushTrailers(Direction::kResponse, 0);
}

void ChainRunner::endTunnel() {
  tunnel_open_ = false;
  if (!ended_) downstream_.tunnelEnded();
}

void ChainRunner::resetResponse(std::string_view details) {
  if (ended_ || terminal_done_) return;
  terminal_done_ = true;
  if (response_sent_headers_) return downstream_.resetStream(details);
  Reply reply{502, "upstream response was cut short", details};
  sendReply(reply, false);
}

}  // namespace sluice::filter
