#include <string>

#include "source/http/h1/codec.h"
#include "source/http/h1/head_parser.h"
#include "source/http/h1/head_writer.h"
#include "source/http/h1/message_codec.h"
#include "source/http/rules.h"

namespace sluice::http::h1 {

namespace {

class Http1ClientCodec final : public ClientCodec, private MessageCodec<Http1ClientCodec> {
 public:
  Http1ClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits)
      : MessageCodec(sink, limits), events_(events) {}

  std::optional<ProtocolError> receive(std::string_view bytes) override;
  std::optional<ProtocolError> receiveEnd() override;

  StreamId sendHeaders(const RequestHeaders& headers, bool end_stream) override;
  void sendData(StreamId stream, std::string_view data, bool end_stream) override;
  void sendTrailers(StreamId stream, const Trailers& trailers) override;
  void reset(StreamId stream, ResetReason reason) override;

  uint32_t freeStreams() const override { return reusable_ && in_ == In::kIdle ? 1 : 0; }
  bool reusable() const override { return reusable_; }
  bool tunnelling(StreamId) const override { return in_ == In::kTunnel || in_ == In::kTunnelEnded; }

 private:
  friend MessageCodec;

  static constexpr bool kReadsRequests = false;

  // 1xx before one final head; more are a storm.
  static constexpr uint32_t kMaxInformational = 32;

  enum class In : uint8_t {
    kIdle,  // no response is due
    kHead,
    kBody,
    kTrailers,
    kTunnel,       // bytes are no messages any more
    kTunnelEnded,  // the peer's side is over, ours is not
    kStopped,      // nothing more is read
  };
  enum class Out : uint8_t { kComplete, kLength, kChunked, kTunnelAsked, kTunnel };

  size_t process(std::string_view in);
  size_t readHead(std::string_view in);
  bool beginBody(ResponseHeaders& headers, const HeadFacts& facts);
  void finishRequest();
  void trailersFollow() { in_ = In::kTrailers; }
  void inputEnds(bool input_left);
  void onData(std::string_view data, bool end) { events_.onResponseData(stream_, data, end); }
  Trailers& beginTrailers() { return events_.beginResponseTrailers(stream_); }
  void onTrailers() { events_.onResponseTrailers(stream_); }
  void fail(Fault fault) {
    fault_ = fault;
    reusable_ = false;
    in_ = In::kStopped;
  }
  bool sending(StreamId stream) const { return stream == stream_ && in_ != In::kIdle && in_ != In::kStopped; }

  ClientEvents& events_;
  uint32_t informational_ = 0;
  In in_ = In::kIdle;
  Out out_ = Out::kComplete;
  bool reusable_ = true;
};

std::optional<ProtocolError> Http1ClientCodec::receive(std::string_view bytes) {
  if (in_ == In::kStopped) return std::nullopt;
  take(bytes);
  if (in_ == In::kStopped) carry_.clear();
  if (failed()) return responseError(fault_);
  return std::nullopt;
}

std::optional<ProtocolError> Http1ClientCodec::receiveEnd() {
  reusable_ = false;
  if (in_ == In::kStopped) return std::nullopt;
  if (in_ == In::kIdle) {
    in_ = In::kStopped;
    return std::nullopt;
  }
  if (in_ == In::kTunnel || (in_ == In::kBody && body_.untilClose())) {
    in_ = out_ == Out::kTunnel ? In::kTunnelEnded : In::kStopped;
    events_.onResponseData(stream_, {}, true);
    return std::nullopt;
  }
  carry_.clear();
  fail(Fault::kIncompleteMessage);
  return responseError(fault_);
}

// Takes what it can from the front of `in`; returns how much.
size_t Http1ClientCodec::process(std::string_view in) {
  const size_t size = in.size();
  while (!in.empty()) {
    size_t taken = 0;
    switch (in_) {
      case In::kIdle:
        fail(Fault::kUnsolicitedResponse);
        return size;
      case In::kHead:
        taken = readHead(in);
        break;
      case In::kBody:
        readBody(in);
        continue;
      case In::kTrailers:
        taken = readTrailers(in);
        break;
      case In::kTunnel:
        events_.onResponseData(stream_, in, false);
        return size;
      case In::kTunnelEnded:
      case In::kStopped:
        return size;
    }
    if (taken == 0 && in_ != In::kStopped) return size - in.size();
    in.remove_prefix(taken);
  }
  return size;
}

size_t Http1ClientCodec::readHead(std::string_view in) {
  if (!block_.find(in, limits_.max_header_bytes)) return 0;
  if (block_.fault() != Fault::kNone) {
    fail(block_.fault());
    return 0;
  }
  ResponseHeaders& headers = events_.beginResponse(stream_);
  const ParsedHead head = parseResponseHead(in.substr(0, block_.size()), limits_, headers);
  block_.reset();
  if (head.fault != Fault::kNone) {
    fail(head.fault);
    return 0;
  }
  if (out_ == Out::kTunnelAsked) {
    const bool connect = upgrade_.empty();
    if (connect ? headers.status / 100 == 2 : headers.status == 101 && head.upgrade == upgrade_) {
      headers.remove(Name::kContentLength);  // a tunnel has no framing (RFC 9110 section 9.3.6)
      in_ = In::kTunnel;
      out_ = Out::kTunnel;
      reusable_ = false;
      events_.onResponseHeaders(stream_, false);
      return head.size;
    }
    if (headers.status >= 200) out_ = Out::kComplete;  // refused: the request was its head
  }
  if (headers.status < 200) {
    if (headers.status == 101) {
      fail(Fault::kUnaskedSwitch);
    } else if (++informational_ > kMaxInformational) {
      fail(Fault::kTooManyInformational);
    } else {
      headers.remove(Name::kContentLength);  // RFC 9110 section 8.6
      events_.onInformational(stream_);
    }
    return head.size;
  }
  const bool keeps_open = headers.protocol == Protocol::kHttp11 || head.facts.keep_alive;
  if (head.facts.close || !keeps_open) reusable_ = false;
  if (beginBody(headers, head.facts)) {
    events_.onResponseHeaders(stream_, false);
  } else {
    inputEnds(head.size < in.size());
    events_.onResponseHeaders(stream_, true);
  }
  return head.size;
}

// How the body is framed (RFC 9112 section 6.3). False: there is none.
bool Http1ClientCodec::beginBody(ResponseHeaders& headers, const HeadFacts& facts) {
  if (headers.status == 204) headers.remove(Name::kContentLength);
  if (head_request_ || headers.status == 204 || headers.status == 304) return false;
  if (facts.chunked) {
    body_.startChunked();
  } else if (!facts.has_length) {
    body_.startUntilClose();
    reusable_ = false;
  } else if (facts.length > 0) {
    body_.startLength(facts.length);
  } else {
    return false;
  }
  in_ = In::kBody;
  return true;
}

// Called before the event that ends the response: the owner may see there whether the connection can be used again.
void Http1ClientCodec::inputEnds(bool input_left) {
  // An early reply: the rest of the request would be read as the next one. Input that is left is nobody's, and must not
  // become the answer to a request that the owner starts at once.
  if (out_ != Out::kComplete || input_left) reusable_ = false;
  in_ = In::kIdle;
}

StreamId Http1ClientCodec::sendHeaders(const RequestHeaders& headers, bool end_stream) {
  ++stream_;
  in_ = In::kHead;
  informational_ = 0;
  head_request_ = headers.isHead();
  if (headers.wantsTunnel()) {
    upgrade_ = headers.upgrade;
    if (upgrade_.empty()) reusable_ = false;  // CONNECT: the peer may take what follows for the tunnel
    out_ = Out::kTunnelAsked;
    writeRequestHead(sink_, headers, Framing::kNone, limits_);
    return stream_;
  }
  Framing framing = Framing::kNone;
  if (const std::optional<uint64_t> length = lengthOf(headers)) {
    framing = Framing::kLength;
    left_to_send_ = *length;
    out_ = Out::kLength;
  } else if (end_stream) {
    const std::string_view method = headers.method;
    if (method == "POST" || method == "PUT" || method == "PATCH") framing = Framing::kZero;
    out_ = Out::kComplete;
  } else {
    framing = Framing::kChunked;
    out_ = Out::kChunked;
  }
  writeRequestHead(sink_, headers, framing, limits_);
  if (end_stream) finishRequest();
  return stream_;
}

void Http1ClientCodec::sendData(StreamId stream, std::string_view data, bool end_stream) {
  if (!sending(stream)) return;
  switch (out_) {
    case Out::kComplete:
    case Out::kTunnelAsked:  // too early
      return;
    case Out::kTunnel:
      write(data);
      break;
    case Out::kLength:
      if (!writeAnnounced(data)) reusable_ = false;
      break;
    case Out::kChunked:
      writeChunk(sink_, data, end_stream);
      break;
  }
  if (end_stream) finishRequest();
}

void Http1ClientCodec::sendTrailers(StreamId stream, const Trailers& trailers) {
  if (!sending(stream) || out_ == Out::kComplete) return;
  if (out_ == Out::kChunked) writeTrailers(sink_, trailers, limits_);
  finishRequest();
}

void Http1ClientCodec::finishRequest() {
  // Less than was announced: the peer waits for the rest, so no next request may follow.
  if (out_ == Out::kLength && left_to_send_ > 0) reusable_ = false;
  if (in_ == In::kTunnelEnded) in_ = In::kStopped;
  out_ = Out::kComplete;
}

void Http1ClientCodec::reset(StreamId stream, ResetReason) {
  if (!sending(stream)) return;
  reusable_ = false;
  in_ = In::kStopped;
}

}  // namespace

std::unique_ptr<ClientCodec> makeClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits) {
  return std::make_unique<Http1ClientCodec>(events, sink, limits);
}

}  // namespace sluice::http::h1
