#include "test/support/filter/wire_client.h"

#include <algorithm>
#include <cstdlib>

#include "source/http/h2/test_peer.h"

namespace sluice::filter::testing {
namespace {

namespace h2 = http::h2;

// --- requests --------------------------------------------------------------------------------------------------------

std::string http1Bytes(const Message& message, const Events& events) {
  std::string out = message.method + " " + message.path + " HTTP/1.1\r\nhost: a.example\r\n";
  bool has_length = events.list.size() == 1;
  for (const auto& [name, value] : message.headers) {
    const bool is_length = name == "content-length";
    if (is_length && message.has_trailers) continue;  // only chunks have trailers
    out.append(name).append(": ").append(value).append("\r\n");
    has_length |= is_length;
  }
  if (!has_length) out += "transfer-encoding: chunked\r\n";
  out += "\r\n";
  for (const Events::Event& event : events.list) {
    if (event.kind != Events::Event::kData) continue;
    if (has_length) {
      out += event.bytes;
    } else {
      char size[16];
      std::snprintf(size, sizeof(size), "%zx\r\n", event.bytes.size());
      out.append(size).append(event.bytes).append("\r\n");
    }
  }
  if (!has_length) out += message.has_trailers ? "0\r\nmark: request\r\n\r\n" : "0\r\n\r\n";
  return out;
}

std::string http2Bytes(const Message& message, const Events& events, uint32_t window) {
  h2::Deflater deflater;
  h2::Fields head{
      {":method", message.method}, {":scheme", "http"}, {":authority", "a.example"}, {":path", message.path}};
  head.insert(head.end(), message.headers.begin(), message.headers.end());
  std::string out = h2::magic() + h2::settings(window == kDefaultWindow ? std::string() : windowSetting(window));
  for (const Events::Event& event : events.list) {
    switch (event.kind) {
      case Events::Event::kHead:
        out += h2::headerFrames(kClientStream, deflater.block(head), event.end_stream);
        break;
      case Events::Event::kData:
        out += h2::data(kClientStream, event.bytes, event.end_stream);
        break;
      case Events::Event::kTrailers:
        out += h2::headerFrames(kClientStream, deflater.block({{"mark", "request"}}), true);
    }
  }
  return out;
}

// --- responses -------------------------------------------------------------------------------------------------------

class Http1Reader : public Reader {
 public:
  Http1Reader(const std::string& method, ClientRecord& record) : Reader(record), to_head_(method == "HEAD") {}

  void read(std::string_view bytes) override {
    kept_.append(bytes);
    while (record_.heads == 0 && readHead()) {
    }
    if (record_.heads > 0 && !record_.complete) chunked_ ? readChunks() : readWhole();
    if (record_.complete && kept_.find("HTTP/1.1") != std::string::npos) ++record_.heads;
    if (record_.complete && !kept_.empty()) record_.wrong = "bytes behind the response";
  }

 private:
  // False: there is none.
  bool readHead() {
    const size_t end = kept_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto status = static_cast<uint16_t>(std::atoi(kept_.c_str() + 9));
    const size_t line = kept_.find("\r\n") + 2;
    if (status >= 200) {
      ++record_.heads;
      record_.status = status;
      record_.headers = fields(std::string_view(kept_).substr(line, end + 2 - line));
      readFraming();
    }
    kept_.erase(0, end + 4);
    return true;
  }
  void readFraming() {
    int lengths = 0;
    for (const auto& [name, value] : record_.headers) {
      chunked_ |= name == "transfer-encoding";
      if (name != "content-length") continue;
      ++lengths;
      length_ = static_cast<size_t>(std::atoi(value.c_str()));
    }
    if (lengths + (chunked_ ? 1 : 0) > 1) record_.wrong = "more than one framing of the response";
    if (!to_head_ && record_.status != 204 && record_.status != 304) return;
    length_ = 0;
    chunked_ = false;
  }
  static Fields fields(std::string_view lines) {
    Fields out;
    while (!lines.empty()) {
      const size_t end = lines.find("\r\n");
      const std::string_view line = lines.substr(0, end);
      const size_t colon = line.find(": ");
      if (colon != line.npos) out.emplace_back(line.substr(0, colon), line.substr(colon + 2));
      if (end == lines.npos) break;
      lines.remove_prefix(end + 2);
    }
    return out;
  }
  void readWhole() {
    const size_t more = std::min(length_ - record_.body.size(), kept_.size());
    record_.body.append(kept_, 0, more);
    kept_.erase(0, more);
    record_.complete = record_.body.size() == length_;
  }
  void readChunks() {
    for (;;) {
      const size_t line = kept_.find("\r\n");
      if (line == std::string::npos) return;
      const size_t size = std::strtoul(kept_.c_str(), nullptr, 16);
      if (size == 0) {
        const size_t end = kept_.find("\r\n\r\n");
        if (end == std::string::npos) return;
        record_.trailers = fields(std::string_view(kept_).substr(line + 2, end > line ? end - line - 2 : 0));
        kept_.erase(0, end + 4);
        record_.complete = true;
        return;
      }
      if (kept_.size() < line + 2 + size + 2) return;
      record_.body.append(kept_, line + 2, size);
      kept_.erase(0, line + 2 + size + 2);
    }
  }

  const bool to_head_;
  std::string kept_;
  bool chunked_ = false;
  size_t length_ = 0;
};

class Http2Reader : public Reader {
 public:
  using Reader::Reader;

  void read(std::string_view bytes) override {
    kept_.append(bytes);
    while (kept_.size() >= 9) {
      const size_t end = frameLength(kept_, 0);
      if (kept_.size() < end) return;
      readFrame(std::string_view(kept_).substr(0, end));
      kept_.erase(0, end);
    }
  }
  static size_t frameLength(std::string_view bytes, size_t at) {
    size_t length = 0;
    for (size_t i = 0; i < 3; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    return 9 + length;
  }

 private:
  void readFrame(std::string_view frame) {
    const bool of_stream = frame[8] == static_cast<char>(kClientStream);
    const bool ends = (frame[4] & h2::kEndStream) != 0;
    if (of_stream && (frame[3] == h2::kData || frame[3] == h2::kHeaders)) {
      if (record_.complete) record_.wrong = "bytes behind the response";
      if (frame[3] == h2::kHeaders) ends_with_head_ = ends;
    }
    if (of_stream && frame[3] == h2::kData) {
      record_.body.append(frame.substr(9));
      record_.complete |= ends;
      return;
    }
    for (std::string_view line : frames_.read(frame)) readLine(line);
  }
  void readLine(std::string_view line) {
    if (line.starts_with("RST_STREAM 1") && !record_.complete) record_.reset = std::string(line);
    if (!take(line, "HEADERS 1") && !take(line, "CONTINUATION 1")) return;
    take(line, " ES");
    const Fields list = fields(line);
    if (list.empty()) return;  // continued
    const bool is_head = list[0].first == ":status";
    if (is_head && std::atoi(list[0].second.c_str()) < 200) return;
    if (is_head) {
      ++record_.heads;
      record_.status = static_cast<uint16_t>(std::atoi(list[0].second.c_str()));
      record_.headers = list;
    } else {
      record_.trailers = list;
    }
    record_.complete |= ends_with_head_;
  }
  static bool take(std::string_view& line, std::string_view prefix) {
    if (!line.starts_with(prefix)) return false;
    line.remove_prefix(prefix.size());
    return true;
  }
  // A value with a space in it loses its end.
  static Fields fields(std::string_view line) {
    Fields out;
    while (take(line, " ")) {
      const std::string_view word = line.substr(0, line.find(' '));
      line.remove_prefix(word.size());
      const size_t equals = word.find('=');
      if (equals != word.npos) out.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return out;
  }

  h2::FrameReader frames_;
  std::string kept_;
  bool ends_with_head_ = false;
};

}  // namespace

std::string windowSetting(uint32_t window) {
  constexpr uint16_t kInitialWindowSize = 4;
  return h2::setting(kInitialWindowSize, window);
}

std::string requestBytes(Protocol protocol, const Message& message, const Events& events, uint32_t window) {
  return protocol == Protocol::kHttp1 ? http1Bytes(message, events) : http2Bytes(message, events, window);
}

size_t frameEnd(std::string_view bytes, size_t at) {
  size_t end = h2::magic().size();
  while (end < at) end += Http2Reader::frameLength(bytes, end);
  return end;
}

std::unique_ptr<Reader> makeReader(Protocol protocol, const std::string& method, ClientRecord& record) {
  if (protocol == Protocol::kHttp1) return std::make_unique<Http1Reader>(method, record);
  return std::make_unique<Http2Reader>(record);
}

}  // namespace sluice::filter::testing
