// A request that goes HTTP/1 -> HTTP/2 -> HTTP/1 keeps its meaning: what the first server codec heard is what the last
// one hears, and it is one request. So does the answer on its way back.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/http/h1/codec.h"
#include "source/http/h2/codec.h"

namespace sluice::http {
namespace {

void require(bool holds, const char* what, const std::string& one, const std::string& other) {
  if (holds) return;
  std::fprintf(stderr, "%s\n--- one\n%s\n--- other\n%s\n", what, one.c_str(), other.c_str());
  std::abort();
}

struct StringSink final : ByteSink {
  void write(std::string_view bytes) override { out.append(bytes); }
  std::string take() { return std::exchange(out, {}); }
  std::string out;
};

// A message in a form that the way it was sent does not change: fields sorted (cookies as one), the body as a whole. A
// length of nothing is as good as none, and so is an empty cookie.
struct Meaning {
  std::string start;
  std::vector<std::string> fields;
  std::string cookies;
  std::string body;
  std::vector<std::string> trailers;
  bool ended = false;

  void add(const HeaderList& list) {
    for (const Field& field : list) {
      if (field.id == Name::kHost) continue;  // of a response: says nothing, and is not sent on
      if (field.id == Name::kCookie) {
        if (!field.value.empty()) cookies.append(cookies.empty() ? "" : "; ").append(field.value);
      } else if (field.id != Name::kContentLength || field.value.find_first_not_of('0') != std::string_view::npos) {
        fields.push_back(std::string(field.name) + "=" + std::string(field.value));
      }
    }
    // Fields of one name keep their order.
    std::stable_sort(fields.begin(), fields.end(), [](const std::string& a, const std::string& b) {
      return a.substr(0, a.find('=')) < b.substr(0, b.find('='));
    });
  }
  void addTrailers(const HeaderList& list) {
    for (const Field& field : list) trailers.push_back(std::string(field.name) + "=" + std::string(field.value));
  }
  std::string text() const {
    std::string out = start + "\n";
    for (const std::string& field : fields) out += field + "\n";
    out += "cookies " + cookies + "\nbody " + body + "\n";
    for (const std::string& field : trailers) out += "trailer " + field + "\n";
    return out + (ended ? "ended" : "open");
  }
};

// Hears one request, writes down what it means and passes it on.
class RequestRelay final : public ServerEvents {
 public:
  RequestHeaders& beginRequest(StreamId) override {
    if (requests++ > 0) request_ = std::make_unique<RequestHeaders>(arena_);
    return *request_;
  }
  void onRequestHeaders(StreamId stream, bool end, bool) override {
    heard = true;
    id = stream;
    tunnel = request_->wantsTunnel();
    is_head = request_->isHead();
    meaning.start = std::string(request_->method) + " " + std::string(request_->path) + " " +
                    std::string(request_->authority) + " " + std::string(request_->upgrade);
    meaning.add(*request_);
    meaning.ended = end;
    if (next != nullptr && !tunnel) next_id = next->sendHeaders(*request_, end);
  }
  void onRequestData(StreamId stream, std::string_view data, bool end) override {
    meaning.body.append(data);
    meaning.ended = end;
    if (codec) codec->consumed(stream, data.size());
    if (next != nullptr && !tunnel) next->sendData(next_id, data, end);
  }
  Trailers& beginRequestTrailers(StreamId) override { return trailers_; }
  void onRequestTrailers(StreamId) override {
    meaning.addTrailers(trailers_);
    meaning.ended = true;
    if (next != nullptr && !tunnel) next->sendTrailers(next_id, trailers_);
  }
  void onRequestReset(StreamId, ResetReason) override { reset = true; }

  Meaning meaning;
  StringSink sink;
  std::unique_ptr<ServerCodec> codec;
  ClientCodec* next = nullptr;
  StreamId id = 0;
  StreamId next_id = 0;
  int requests = 0;
  bool heard = false;
  bool tunnel = false;
  bool is_head = false;
  bool reset = false;

 private:
  base::Arena arena_;
  std::unique_ptr<RequestHeaders> request_ = std::make_unique<RequestHeaders>(arena_);
  Trailers trailers_{arena_};
};

class ResponseRelay final : public ClientEvents {
 public:
  ResponseHeaders& beginResponse(StreamId) override {
    response_ = std::make_unique<ResponseHeaders>(arena_);
    return *response_;
  }
  void onInformational(StreamId) override {
    if (back != nullptr) back->sendInformational(back_id, *response_);
  }
  void onResponseHeaders(StreamId, bool end) override {
    meaning.start = std::to_string(response_->status);
    meaning.add(*response_);
    meaning.ended = end;
    if (back != nullptr) back->sendHeaders(back_id, *response_, end);
  }
  void onResponseData(StreamId stream, std::string_view data, bool end) override {
    meaning.body.append(data);
    meaning.ended = end;
    codec->consumed(stream, data.size());
    if (back != nullptr) back->sendData(back_id, data, end);
  }
  Trailers& beginResponseTrailers(StreamId) override { return trailers_; }
  void onResponseTrailers(StreamId) override {
    meaning.addTrailers(trailers_);
    meaning.ended = true;
    if (back != nullptr) back->sendTrailers(back_id, trailers_);
  }
  void onResponseReset(StreamId, ResetReason) override { reset = true; }

  Meaning meaning;
  StringSink sink;
  std::unique_ptr<ClientCodec> codec;
  ServerCodec* back = nullptr;
  StreamId back_id = 0;
  bool reset = false;

 private:
  base::Arena arena_;
  std::unique_ptr<ResponseHeaders> response_;
  Trailers trailers_{arena_};
};

// first (h1) -> across (h2) -> far (h2) -> last (h1) -> end (h1)
struct Path {
  Path() {
    CodecLimits limits;
    // The same head is not of the same size on both wires.
    CodecLimits wide = limits;
    wide.max_header_bytes += 4096;
    first.codec = h1::makeServerCodec(first, first.sink, limits);
    across.codec = h2::makeClientCodec(across, across.sink, wide, {});
    far.codec = h2::makeServerCodec(far, far.sink, wide, {});
    last.codec = h1::makeClientCodec(last, last.sink, wide);
    end.codec = h1::makeServerCodec(end, end.sink, wide);
    first.next = across.codec.get();
    far.next = last.codec.get();
  }
  // Carries what the HTTP/2 codecs say until both are silent.
  void carry() {
    while (!across.sink.out.empty() || !far.sink.out.empty()) {
      const std::string there = across.sink.take();
      const auto error = far.codec->receive(there);
      require(!error, "the HTTP/2 server refuses what the client wrote", first.meaning.text(), "");
      const std::string here = far.sink.take();
      const auto other = across.codec->receive(here);
      require(!other, "the HTTP/2 client refuses what the server wrote", last.meaning.text(), "");
    }
  }

  RequestRelay first;
  ResponseRelay across;
  RequestRelay far;
  ResponseRelay last;
  RequestRelay end;
};

// `answer` is what the server at the end of the path says.
void roundTrip(std::string_view bytes, std::string_view answer) {
  Path path;
  if (path.first.codec->receive(bytes) || !path.first.meaning.ended || path.first.tunnel) return;
  path.carry();
  const std::string heard = path.first.meaning.text();
  require(path.far.heard && !path.far.reset && !path.across.reset, "the request did not cross HTTP/2", heard, "");
  require(heard == path.far.meaning.text(), "HTTP/2 changed a request", heard, path.far.meaning.text());
  const std::string wire = path.last.sink.take();
  const auto error = path.end.codec->receive(wire);
  require(!error && path.end.requests == 1, "the request is not read as one", heard, wire);
  require(path.end.codec->bufferedBytes() == 0, "the request is followed by something", heard, wire);
  require(heard == path.end.meaning.text(), "a request changed on its way", heard, path.end.meaning.text());

  // Back: last hears it, far sends it over HTTP/2, across hears it, first writes it, and it is read once more.
  path.last.back = path.far.codec.get();
  path.last.back_id = path.far.id;
  path.across.back = path.first.codec.get();
  path.across.back_id = path.first.id;
  if (path.last.codec->receive(answer)) return;
  if (!path.last.meaning.ended && (path.last.codec->receiveEnd() || !path.last.meaning.ended)) return;
  path.carry();
  const std::string said = path.last.meaning.text();
  require(said == path.across.meaning.text(), "HTTP/2 changed a response", said, path.across.meaning.text());
}

}  // namespace
}  // namespace sluice::http

// The input is a request, a byte 0xff, and a response.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 20000) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(all.find('\xff'), all.size());
  std::string_view answer = all.substr(std::min(cut + 1, all.size()));
  if (answer.empty()) answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
  sluice::http::roundTrip(all.substr(0, cut), answer);
  return 0;
}
