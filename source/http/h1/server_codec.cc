#include <algorithm>
#include <string>
#include <utility>

#include "source/http/h1/codec.h"
#include "source/http/h1/head_parser.h"
#include "source/http/h1/head_writer.h"
#include "source/http/h1/message_codec.h"
#include "source/http/rules.h"

namespace sluice::http::h1 {

namespace {

class Http1ServerCodec final : public ServerCodec, private MessageCodec<Http1ServerCodec> {
 public:
  Http1ServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits)
      : MessageCodec(sink, limits), events_(events) {}

  std::optional<ProtocolError> receive(std::string_view bytes) override;
  std::optional<ProtocolError> receiveEnd() override;
  bool inputBlocked() const override { return in_ == In::kComplete || in_ == In::kTunnelAsked || in_ == In::kStopped; }
  std::optional<ProtocolError> resumeInput() override { return receive({}); }
  size_t bufferedBytes() const override { return carry_.size(); }

  void sendInformational(StreamId stream, const ResponseHeaders& headers) override;
  void sendHeaders(StreamId stream, const ResponseHeaders& headers, bool end_stream) override;
  void sendData(StreamId stream, std::string_view data, bool end_stream) override;
  void sendTrailers(StreamId stream, const Trailers& trailers) override;
  void reset(StreamId stream, ResetReason reason) override;
  void sendErrorReply(const ProtocolError& error) override;

  void drain() override { draining_ = true; }
  bool shouldClose() const override { return closed_; }
  bool idle() const override { return in_ == In::kHead && carry_.empty(); }

 private:
  friend MessageCodec;

  static constexpr bool kReadsRequests = true;

  enum class In : uint8_t {
    kHead,
    kBody,
    kTrailers,
    kComplete,     // the request is whole, its response is not
    kTunnelAsked,  // what follows is of a tunnel or the next request: the answer tells
    kTunnel,       // an accepted one: bytes are no messages any more
    kStopped,      // nothing more is read
  };
  enum class Out : uint8_t {
    kNone,  // the final head is still to come, if any
    kSwallow,
    kLength,
    kChunked,
    kUntilClose,
  };

  bool acceptsTunnel(const ResponseHeaders& headers) const;
  size_t process(std::string_view in);
  size_t readHead(std::string_view in);
  bool findHead(std::string_view in);
  void beginMessage(const RequestHeaders& headers, const HeadFacts& facts);
  void trailersFollow() { in_ = In::kTrailers; }
  void inputEnds(bool) { in_ = In::kComplete; }
  void onData(std::string_view data, bool end) { events_.onRequestData(stream_, data, end); }
  Trailers& beginTrailers() { return events_.beginRequestTrailers(stream_); }
  void onTrailers() { events_.onRequestTrailers(stream_); }
  void fail(Fault fault) {
    fault_ = fault;
    in_ = In::kStopped;
  }

  bool mayAnswer(StreamId stream) const { return !closed_ && ((active_ && stream == stream_) || failed()); }
  Framing chooseFraming(const ResponseHeaders& headers, bool end_stream);
  void finishResponse();

  ServerEvents& events_;
  In in_ = In::kHead;
  Out out_ = Out::kNone;
  bool active_ = false;  // stream_ is open
  bool http_10_ = false;
  bool close_after_ = false;  // the response in flight is the last one
  bool draining_ = false;
  bool closed_ = false;
  bool peer_ended_ = false;
  bool skipped_line_ = false;   // the one empty line that may stand before a request (RFC 9112 section 2.2)
  bool start_checked_ = false;  // the request line of a head that is not whole yet was looked at
};

std::optional<ProtocolError> Http1ServerCodec::receive(std::string_view bytes) {
  if (in_ == In::kStopped) return std::nullopt;
  take(bytes);
  if (in_ == In::kStopped) carry_.clear();
  // Nothing more comes, and what is kept is no request.
  if (peer_ended_ && in_ == In::kHead) {
    in_ = In::kStopped;
    closed_ = true;
    carry_.clear();
  }
  if (failed()) return requestError(fault_);
  return std::nullopt;
}

std::optional<ProtocolError> Http1ServerCodec::receiveEnd() {
  peer_ended_ = true;
  if (in_ == In::kStopped || in_ == In::kComplete || in_ == In::kTunnelAsked) return std::nullopt;
  if (in_ == In::kTunnel) {
    in_ = In::kComplete;
    if (out_ == Out::kSwallow) finishResponse();  // our side had ended
    events_.onRequestData(stream_, {}, true);
    return std::nullopt;
  }
  if (idle()) {
    in_ = In::kStopped;
    closed_ = true;
    return std::nullopt;
  }
  carry_.clear();
  fail(Fault::kIncompleteMessage);
  return requestError(fault_);
}

// Takes what it can from the front of `in`; returns how much.
size_t Http1ServerCodec::process(std::string_view in) {
  const size_t size = in.size();
  bool began = false;
  while (!in.empty()) {
    size_t taken = 0;
    switch (in_) {
      case In::kHead:
        if (std::exchange(began, true) && !events_.mayBegin()) return size - in.size();
        taken = readHead(in);
        break;
      case In::kBody:
        readBody(in);
        continue;
      case In::kTrailers:
        taken = readTrailers(in);
        break;
      case In::kComplete:
      case In::kTunnelAsked:
        return size - in.size();
      case In::kTunnel:
        events_.onRequestData(stream_, in, false);
        return size;
      case In::kStopped:
        return size;
    }
    if (taken == 0 && in_ != In::kStopped) return size - in.size();
    in.remove_prefix(taken);
  }
  return size;
}

// Finds the end of a head that is not known to be whole. False: there is more to come, or a fault.
bool Http1ServerCodec::findHead(std::string_view in) {
  const bool found = block_.find(in, limits_.max_header_bytes);
  if (found && block_.fault() == Fault::kNone) return true;
  const std::string_view seen = in.substr(0, limits_.max_header_bytes);
  if (!start_checked_) {
    if (const Fault fault = checkRequestStart(seen, limits_); fault != Fault::kNone) {
      fail(fault);
      return false;
    }
  }
  const bool has_line = start_checked_ || seen.find('\n') != std::string_view::npos;
  start_checked_ = has_line;
  if (found) fail(block_.fault() == Fault::kHeadersTooLarge && !has_line ? Fault::kTargetTooLong : block_.fault());
  return false;
}

size_t Http1ServerCodec::readHead(std::string_view in) {
  // Text of this size is copied whole without looking for the end of the head in it, where it ends as a head does.
  constexpr size_t kShortcut = 1024;

  if (in[0] == '\r' && !skipped_line_) [[unlikely]] {
    if (in.size() == 1) return 0;
    if (in[1] == '\n') {
      skipped_line_ = true;
      return 2;
    }
  }
  const bool shortcut = in.size() <= std::min<size_t>(kShortcut, limits_.max_header_bytes) && in.ends_with("\r\n\r\n");
  if (!shortcut && !findHead(in)) return 0;

  RequestHeaders& headers = events_.beginRequest(++stream_);
  const ParsedHead head = parseRequestHead(shortcut ? in : in.substr(0, block_.size()), limits_, headers);
  if (head.fault != Fault::kNone) {
    // A fault that is found before the head is whole goes first, however the bytes came.
    if (!shortcut || findHead(in)) fail(head.fault);
    return 0;
  }
  block_.reset();
  skipped_line_ = false;
  start_checked_ = false;
  beginMessage(headers, head.facts);
  events_.onRequestHeaders(stream_, in_ == In::kComplete, head.facts.expect_continue && in_ == In::kBody);
  return head.size;
}

void Http1ServerCodec::beginMessage(const RequestHeaders& headers, const HeadFacts& facts) {
  active_ = true;
  out_ = Out::kNone;
  head_request_ = headers.isHead();
  http_10_ = headers.protocol == Protocol::kHttp10;
  // Bytes behind a CONNECT are for a tunnel, never a next request.
  close_after_ = facts.close || (http_10_ && !facts.keep_alive) || headers.method == "CONNECT";
  if (limits_.allow_upgrades && headers.wantsTunnel()) {
    in_ = In::kTunnelAsked;
    upgrade_ = headers.upgrade;
  } else if (facts.chunked) {
    body_.startChunked();
    in_ = In::kBody;
  } else if (facts.has_length && facts.length > 0) {
    body_.startLength(facts.length);
    in_ = In::kBody;
  } else {
    in_ = In::kComplete;
  }
}

void Http1ServerCodec::sendInformational(StreamId stream, const ResponseHeaders& headers) {
  if (!mayAnswer(stream) || failed() || out_ != Out::kNone || http_10_) return;
  if (headers.status < 100 || headers.status > 199 || headers.status == 101) return;
  writeResponseHead(sink_, headers, Framing::kNone, Persistence::kImplicit, limits_);
}

// Sets how the body is sent and whether the connection can go on.
Framing Http1ServerCodec::chooseFraming(const ResponseHeaders& headers, bool end_stream) {
  const std::optional<uint64_t> length = lengthOf(headers);
  if (head_request_ || headers.status == 204 || headers.status == 304) {
    out_ = Out::kSwallow;
    return length && headers.status != 204 ? Framing::kLength : Framing::kNone;
  }
  if (length) {
    out_ = Out::kLength;
    left_to_send_ = *length;
    return Framing::kLength;
  }
  if (end_stream) {
    out_ = Out::kSwallow;
    return Framing::kZero;
  }
  if (!http_10_) {
    out_ = Out::kChunked;
    return Framing::kChunked;
  }
  out_ = Out::kUntilClose;
  close_after_ = true;
  return Framing::kUntilClose;
}

bool Http1ServerCodec::acceptsTunnel(const ResponseHeaders& headers) const {
  if (in_ != In::kTunnelAsked) return false;
  return upgrade_.empty() ? headers.status / 100 == 2 : headers.status == 101;
}

void Http1ServerCodec::sendHeaders(StreamId stream, const ResponseHeaders& headers, bool end_stream) {
  if (!mayAnswer(stream) || out_ != Out::kNone) return;
  if (acceptsTunnel(headers)) {
    in_ = In::kTunnel;
    out_ = Out::kUntilClose;
    close_after_ = true;
    if (upgrade_.empty()) {
      writeResponseHead(sink_, headers, Framing::kNone, Persistence::kImplicit, limits_);
    } else {
      writeSwitch(sink_, headers, upgrade_, limits_);
    }
    if (end_stream) finishResponse();
    return;
  }
  if (headers.status < 200) return reset(stream, ResetReason::kLocal);  // nobody asked for it
  if (in_ == In::kTunnelAsked) in_ = In::kComplete;  // what is kept is the next request, but for CONNECT
  const Framing framing = chooseFraming(headers, end_stream);
  const bool short_body = end_stream && out_ == Out::kLength && left_to_send_ > 0;
  const bool request_unread = end_stream && in_ != In::kComplete;
  if (draining_ || failed() || short_body || request_unread) close_after_ = true;
  const Persistence persistence = close_after_ ? Persistence::kClose
                                  : http_10_   ? Persistence::kKeepAlive
                                               : Persistence::kImplicit;
  writeResponseHead(sink_, headers, framing, persistence, limits_);
  if (end_stream) finishResponse();
}

void Http1ServerCodec::sendData(StreamId stream, std::string_view data, bool end_stream) {
  if (!mayAnswer(stream)) return;
  switch (out_) {
    case Out::kNone:
      return;  // no head went before: nothing that a peer could read
    case Out::kSwallow:
      break;
    case Out::kLength:
      if (!writeAnnounced(data)) close_after_ = true;
      break;
    case Out::kChunked:
      writeChunk(sink_, data, end_stream);
      break;
    case Out::kUntilClose:
      write(data);
      break;
  }
  if (end_stream) finishResponse();
}

void Http1ServerCodec::sendTrailers(StreamId stream, const Trailers& trailers) {
  if (!mayAnswer(stream) || out_ == Out::kNone) return;
  if (out_ == Out::kChunked) writeTrailers(sink_, trailers, limits_);
  finishResponse();
}

void Http1ServerCodec::finishResponse() {
  if (in_ == In::kTunnel) {  // the client's side goes on
    out_ = Out::kSwallow;
    return;
  }
  // Less than was announced: only the end of the connection tells the peer.
  const bool cut = out_ == Out::kLength && left_to_send_ > 0;
  active_ = false;
  out_ = Out::kNone;
  const bool last = peer_ended_ && carry_.empty();
  if (cut || last || close_after_ || failed() || in_ != In::kComplete) {
    in_ = In::kStopped;
    closed_ = true;
    return;
  }
  in_ = In::kHead;
}

void Http1ServerCodec::sendErrorReply(const ProtocolError& error) {
  // Behind the head of another response it would be read as its body; to HTTP/2 it is noise.
  const bool understood = out_ == Out::kNone && fault_ != Fault::kHttp2Preface;
  if (!closed_ && understood) {
    base::Arena arena;
    ResponseHeaders headers(arena);
    headers.status = error.status;
    writeResponseHead(sink_, headers, Framing::kZero, Persistence::kClose, limits_);
  }
  active_ = false;
  in_ = In::kStopped;
  closed_ = true;
}

void Http1ServerCodec::reset(StreamId stream, ResetReason) {
  if (!active_ || stream != stream_) return;
  active_ = false;
  in_ = In::kStopped;
  closed_ = true;
}

}  // namespace

std::unique_ptr<ServerCodec> makeServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits) {
  return std::make_unique<Http1ServerCodec>(events, sink, limits);
}

}  // namespace sluice::http::h1
