// What the session and the terminal bring and ask, and the answers that are made here.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "source/filter/chain.h"
#include "source/filter/local_reply.h"

namespace sluice::filter {

// --- local replies ---------------------------------------------------------------------------------------------------

void ChainRunner::replyFrom(Direction direction, Reply& reply) {
  // A filter of the response way that refuses the response: its answer takes the other's place and is not shown to the
  // filters, some of which have seen the first one.
  sendReply(reply, direction == Direction::kRequest);
}

void ChainRunner::localReply(Reply reply) {
  sendReply(reply, true);
}

// In place of a response that the filters at `position` and behind it have seen, and those in front have not.
void ChainRunner::replyAsResponse(size_t position, Reply& reply) {
  Lane& in = lane(Direction::kResponse);
  killTokens(Direction::kResponse);
  for (size_t i = in.from; i <= position && !in.stages.empty(); ++i) {
    if (!in.stages[i]) continue;
    in.held -= in.stages[i]->chunk.size() + in.stages[i]->waiting.size();
    in.stages[i]->chunk.clear();
    in.stages[i]->waiting.clear();
  }
  in.from = position + 1;
  stream_.responseTrailers().clear();
  response_began_ = false;
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
  if (const ReplyMapper* mapper = downstream_.replyMapper()) mapper->map(reply, stream_);
  stream_.info().response_code_details = reply.details;
  if (reply.flag) stream_.info().response_flags.set(*reply.flag);
  if (response_sent_headers_) return downstream_.resetStream(reply.details);
  if (response_began_) {
    // The filters have (some of) the old response; what they hold of it is void.
    killTokens(Direction::kResponse);
    stream_.responseTrailers().clear();
    through_filters = false;
  }
  response_began_ = true;
  // The caller may be a hook that still uses what the reply refers to; the body is ours.
  const std::string body = writeReply(reply, stream_.request(), stream_.response());
  const bool has_body = stream_.request().method != "HEAD" && reply.status != 204 && reply.status != 304;
  reply_body_ = has_body ? std::move(reply.stream) : nullptr;
  if (reply_body_) reply_body_->runner_ = this;
  sendReplyHead(body, body.empty() && !reply_body_, through_filters);
  pumpReply();
  // Where filters hold the reply back, the rest of the request is read meanwhile.
  if (through_filters && !request_complete_) requestProgress();
}

void ChainRunner::sendReplyHead(const std::string& body, bool end_stream, bool through_filters) {
  const bool pumped = std::exchange(pumping_, true);  // nothing overtakes the head
  if (through_filters) {
    const size_t from = lane(Direction::kResponse).from;
    pushHeaders(Direction::kResponse, from, end_stream);
    if (!body.empty()) {
      Chunk chunk(body, true);
      pushData(Direction::kResponse, from, chunk);
    }
  } else {
    lane(Direction::kResponse).closed = true;  // for what still comes from behind
    response_sent_headers_ = true;
    downstream_.sendResponseHeaders(stream_.response(), end_stream);
    if (!body.empty() && !ended_) downstream_.sendResponseData(body, true);
  }
  pumping_ = pumped;
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

// --- streamed replies ------------------------------------------------------------------------------------------------

void ReplyBody::ready() {
  if (runner_ != nullptr) runner_->pumpReply();
}

// Reads from the reply's body for as long as the client's side has room. A filter may put another answer in its place
// meanwhile.
void ChainRunner::pumpReply() {
  if (pumping_) return;
  pumping_ = true;
  std::string piece;
  while (reply_body_ && !ended_) {
    const size_t room = roomFor(lane(Direction::kResponse), downstream_.unsentResponseBytes());
    if (room == 0) break;
    piece.clear();
    const ReplyBody::Read read = reply_body_->read(room, piece);
    if (ended_) break;
    if (read == ReplyBody::Read::kEnd) {
      endReply(piece);
    } else if (read == ReplyBody::Read::kFailed) {
      failReply();
    } else {
      if (!piece.empty()) giveReply(piece, false);
      if (read == ReplyBody::Read::kLater || piece.empty()) break;
    }
  }
  pumping_ = false;
  if (ended_) reply_body_.reset();
}

void ChainRunner::giveReply(std::string_view data, bool end_stream) {
  if (lane(Direction::kResponse).closed) {  // the filters do not see it
    return deliverData(Direction::kResponse, data, end_stream);
  }
  Chunk chunk(data, end_stream);
  pushData(Direction::kResponse, lane(Direction::kResponse).from, chunk);
}

void ChainRunner::endReply(std::string_view last) {
  std::exchange(reply_body_, nullptr)->trailers(stream_.responseTrailers());
  const bool has_trailers = !stream_.responseTrailers().empty();
  giveReply(last, !has_trailers);
  if (!has_trailers || ended_) return;
  if (lane(Direction::kResponse).closed) return deliverTrailers(Direction::kResponse);
  pushTrailers(Direction::kResponse, lane(Direction::kResponse).from);
}

void ChainRunner::failReply() {
  reply_body_.reset();
  if (response_sent_headers_) return downstream_.resetStream(kReplyFailed);
  Reply reply{500, "Internal Server Error", kReplyFailed};
  sendReply(reply, false);
}

// --- the request, from the session -----------------------------------------------------------------------------------

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

// --- credit ----------------------------------------------------------------------------------------------------------

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
  return in.closed ? kWindow : roomFor(in, downstream_.unsentResponseBytes());
}

size_t ChainRunner::roomFor(const Lane& lane, size_t unsent) const {
  const size_t window = lane.closed ? window_ : windowOf(lane);
  const size_t used = lane.closed ? unsent : lane.held + unsent;
  return used >= window ? 0 : window - used;
}

void ChainRunner::requestProgress() {
  if (!ended_) downstream_.requestCreditGrew();
}

void ChainRunner::responseProgress() {
  if (ended_) return;
  if (terminal_used_ && !terminal_done_) return terminal_->responseCreditGrew();
  if (reply_body_) pumpReply();
}

void ChainRunner::creditGrew(Direction direction) {
  if (direction == Direction::kRequest) {
    requestProgress();
  } else {
    responseProgress();
  }
}

// --- the response, from the terminal

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
