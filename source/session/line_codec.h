// A codec with many streams whose frames are lines of text, for tests of the session.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "source/http/codec.h"

namespace sluice::session {

// A line is an event: "H 7 /path" head, "H! 7 /path" head and end, "D 7 text", "D! 7 text", "T 7 name" trailers, "R 7"
// reset, "X" breaks the protocol, "Q" ends it all, "W 7" opens the window of 7, "P" answers a ping. Answers: "h 7 200",
// "d 7 text", "! 7", "t 7", "r 7".
class LineCodec : public http::ServerCodec {
 public:
  LineCodec(http::ServerEvents& events, http::ByteSink& sink) : events_(events), sink_(sink) {
    consumed_bytes.clear();
    unsent_bytes.clear();
  }
  static std::unique_ptr<http::ServerCodec> make(http::ServerEvents& events, http::ByteSink& sink,
                                                 const http::CodecLimits&) {
    return std::make_unique<LineCodec>(events, sink);
  }

  // Begins with a line that is the preface of HTTP/2, if the codec was chosen for that.
  static std::unique_ptr<http::ServerCodec> make2(http::ServerEvents& events, http::ByteSink& sink,
                                                  const http::CodecLimits&, const http::Http2Settings&) {
    return std::make_unique<LineCodec>(events, sink);
  }
  // Of the last codec that was made, by stream.
  static inline std::map<http::StreamId, size_t> consumed_bytes, unsent_bytes;

  std::optional<http::ProtocolError> receive(std::string_view bytes) override {
    kept_ += bytes;
    for (size_t end = kept_.find('\n'); end != std::string::npos; end = kept_.find('\n')) {
      const std::string line = kept_.substr(0, end);
      kept_.erase(0, end + 1);
      if (line == "X") return http::ProtocolError{400, "line.bad"};
      if (line == "Q") closed_ = true;
      if (line == "P") pinged_ = false;
      if (line.starts_with("PRI ")) continue;
      std::istringstream in(line);
      std::string kind, text;
      http::StreamId id = 0;
      in >> kind >> id >> text;
      const bool ends = kind.ends_with('!');
      if (kind[0] == 'H') {
        http::RequestHeaders& headers = events_.beginRequest(id);
        headers.method = "GET";
        headers.path = headers.arena().copy(text);
        headers.authority = "x";
        headers.protocol = http::Protocol::kHttp2;
        open_.insert(id);
        events_.onRequestHeaders(id, ends, false);
      } else if (kind[0] == 'D') {
        events_.onRequestData(id, text, ends);
      } else if (kind[0] == 'T') {
        events_.beginRequestTrailers(id).add(text, "1");
        events_.onRequestTrailers(id);
      } else if (kind[0] == 'W') {
        events_.onSendProgress(id);
      } else if (kind[0] == 'R') {
        open_.erase(id);
        events_.onRequestReset(id, http::ResetReason::kRemote);
      }
    }
    return std::nullopt;
  }
  std::optional<http::ProtocolError> receiveEnd() override { return std::nullopt; }
  bool inputBlocked() const override { return false; }
  std::optional<http::ProtocolError> resumeInput() override { return std::nullopt; }
  size_t bufferedBytes() const override { return kept_.size(); }
  void sendInformational(http::StreamId, const http::ResponseHeaders&) override {}
  void sendHeaders(http::StreamId id, const http::ResponseHeaders& headers, bool end) override {
    write("h", id, std::to_string(headers.status));
    if (end) finish(id);
  }
  void sendData(http::StreamId id, std::string_view data, bool end) override {
    if (!data.empty()) write("d", id, data);
    if (end) finish(id);
  }
  void sendTrailers(http::StreamId id, const http::Trailers&) override {
    write("t", id, "");
    open_.erase(id);
  }
  void reset(http::StreamId id, http::ResetReason) override {
    write("r", id, "");
    open_.erase(id);
  }
  void sendErrorReply(const http::ProtocolError&) override {
    sink_.write("goaway\n");
    closed_ = true;
  }
  bool multiplexed() const override { return true; }
  void consumed(http::StreamId id, size_t bytes) override { consumed_bytes[id] += bytes; }
  size_t unsentBytes(http::StreamId id) const override { return unsent_bytes[id]; }
  void ping() override {
    sink_.write("ping\n");
    pinged_ = true;
  }
  bool awaitingPing() const override { return pinged_; }
  void drain() override { draining_ = true; }
  bool shouldClose() const override { return closed_ || (draining_ && open_.empty()); }
  bool idle() const override { return open_.empty() && kept_.empty(); }

 private:
  void write(std::string_view kind, http::StreamId id, std::string_view text) {
    std::string line(kind);
    line += " " + std::to_string(id) + (text.empty() ? "" : " ") + std::string(text) + "\n";
    sink_.write(line);
  }
  void finish(http::StreamId id) {
    write("!", id, "");
    open_.erase(id);
  }
  http::ServerEvents& events_;
  http::ByteSink& sink_;
  std::string kept_;
  std::set<http::StreamId> open_;
  bool closed_ = false;
  bool draining_ = false;
  bool pinged_ = false;
};

}  // namespace sluice::session
