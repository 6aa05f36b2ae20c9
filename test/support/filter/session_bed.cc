#include <algorithm>
#include <cstdlib>

#include "source/http/h2/codec.h"
#include "source/http/h2/test_peer.h"
#include "source/session/test_session.h"
#include "test/support/filter/bed.h"

namespace sluice::filter::testing {
namespace {

namespace h2 = http::h2;
using namespace std::chrono_literals;

constexpr uint32_t kStream = 1;

// --- the client's bytes ----------------------------------------------------------------------------------------------

std::string http1Bytes(const Message& message, const Events& events) {
  std::string out = "POST / HTTP/1.1\r\nhost: a.example\r\n";
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

std::string http2Bytes(const Message& message, const Events& events) {
  h2::Deflater deflater;
  h2::Fields head{{":method", "POST"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};
  head.insert(head.end(), message.headers.begin(), message.headers.end());
  std::string out = h2::preface();
  for (const Events::Event& event : events.list) {
    switch (event.kind) {
      case Events::Event::kHead:
        out += h2::headerFrames(kStream, deflater.block(head), event.end_stream);
        break;
      case Events::Event::kData:
        out += h2::data(kStream, event.bytes, event.end_stream);
        break;
      case Events::Event::kTrailers:
        out += h2::headerFrames(kStream, deflater.block({{"mark", "request"}}), true);
    }
  }
  return out;
}

// Where the frame ends that holds the byte in front of `at`, or one that begins there.
size_t frameEnd(std::string_view bytes, size_t at) {
  size_t end = h2::magic().size();
  while (end < at) {
    size_t length = 0;
    for (size_t i = 0; i < 3; ++i) length = length << 8 | static_cast<unsigned char>(bytes[end + i]);
    end += 9 + length;
  }
  return end;
}

// --- what it reads ---------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(ClientRecord& record) : record_(record) {}
  virtual ~Reader() = default;
  virtual void read(std::string_view bytes) = 0;
  void ended() {
    if (!record_.complete && record_.reset.empty()) record_.reset = "closed";
  }

 protected:
  ClientRecord& record_;
};

class Http1Reader : public Reader {
 public:
  using Reader::Reader;

  void read(std::string_view bytes) override {
    kept_.append(bytes);
    if (record_.heads == 0) readHead();
    if (record_.heads > 0 && !record_.complete) chunked_ ? readChunks() : readWhole();
    if (record_.complete && kept_.find("HTTP/1.1") != std::string::npos) ++record_.heads;
  }

 private:
  void readHead() {
    const size_t end = kept_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    ++record_.heads;
    record_.status = static_cast<uint16_t>(std::atoi(kept_.c_str() + 9));
    record_.headers = fields(kept_.substr(kept_.find("\r\n") + 2, end - kept_.find("\r\n")));
    for (const auto& [name, value] : record_.headers) {
      chunked_ |= name == "transfer-encoding";
      if (name == "content-length") length_ = static_cast<size_t>(std::atoi(value.c_str()));
    }
    kept_.erase(0, end + 4);
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
    if (kept_.size() < length_) return;
    record_.body = kept_.substr(0, length_);
    kept_.erase(0, length_);
    record_.complete = true;
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

  std::string kept_;
  bool chunked_ = false;
  size_t length_ = 0;
};

class Http2Reader : public Reader {
 public:
  using Reader::Reader;

  void read(std::string_view bytes) override {
    for (std::string_view line : frames_.read(bytes)) {
      if (take(line, "DATA 1")) {
        const bool end = take(line, " ES");
        take(line, " ");
        record_.body.append(line);
        record_.complete |= end;
      } else if (take(line, "HEADERS 1")) {
        const bool end = take(line, " ES");
        const Fields list = fields(line);
        if (!list.empty() && list[0].first == ":status") {
          ++record_.heads;
          record_.status = static_cast<uint16_t>(std::atoi(list[0].second.c_str()));
          record_.headers = list;
        } else {
          record_.trailers = list;
        }
        record_.complete |= end;
      } else if (line.starts_with("RST_STREAM 1") && !record_.complete) {
        record_.reset = std::string(line);
      }
    }
  }

 private:
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
};

// --- the bed ---------------------------------------------------------------------------------------------------------

class SessionBed : public Bed {
 public:
  SessionBed(const Suite& suite, Protocol protocol)
      : suite_(suite), is_http2_(protocol == Protocol::kHttp2), session_(&calls_) {
    session_.settings->codec_type = is_http2_ ? session::CodecType::kHttp2 : session::CodecType::kHttp1;
    session_.tables.set(0, suite.table);
    // What filters count has ids that tests made up.
    for (int i = 0; i < 64; ++i) session_.stats.counter("filter" + std::to_string(i));
    session_.settings->terminal = std::make_shared<WatchedConfig>(*this);
  }

  void begin(Chain chain, Events request, Choices& choices) override {
    choices_ = &choices;
    log_.clear();
    session_.log.clear();
    record_ = {};
    record_.credit_was_full = true;  // seen from the inside only
    terminal_.emplace(log_);
    streams_ = 0;
    gone_ = false;
    session_.settings->chain = fixedChain(std::move(chain));
    socket_ = session_.connect(http::h1::makeServerCodec, h2::makeServerCodec);
    if (is_http2_) {
      reader_ = std::make_unique<Http2Reader>(record_);
    } else {
      reader_ = std::make_unique<Http1Reader>(record_);
    }
    wire_ = is_http2_ ? http2Bytes(suite_.request, request) : http1Bytes(suite_.request, request);
    sent_ = 0;
    cut(wire_);
  }
  // Behind an answer, and behind the end of the server's side, too.
  bool mayBringRequest() override { return !pieces_.empty() && !socket_->broken; }
  void bringRequest() override {
    log_.push_back("client sends " + std::to_string(pieces_.back().size()) + " bytes");
    socket_->send(pieces_.back());
    sent_ += pieces_.back().size();
    pieces_.pop_back();
  }
  bool requestBegan() const override { return sent_ > 0; }
  bool requestDone() const override { return pieces_.empty(); }

  void clientGone() override {
    gone_ = true;
    pieces_.clear();
    const size_t how = is_http2_ ? choices_->pick(5) : 0;
    log_.push_back("client goes, way " + std::to_string(how));
    if (how == 0) return socket_->close();
    // At the end of a frame; the rest of it comes in one piece with what ends the stream.
    const std::string rest = wire_.substr(sent_, frameEnd(wire_, sent_) - sent_);
    const std::string reset = rest + h2::rst(kStream, h2::kCancel);
    if (how == 1) return socket_->send(reset);
    if (how == 2) return socket_->send(reset + h2::data(kStream, "late") + h2::data(kStream, "later", true));
    if (how == 3) socket_->send(reset + h2::goaway(0, h2::kNoError));
    if (how == 4) socket_->send(rest + h2::settings() + h2::goaway(0, h2::kNoError));
    socket_->close();
  }
  void timeOut() override { session_.loop.pass(session_.settings->stream_idle_timeout); }
  void settle() override {
    session_.loop.turn();
    if (gone_) return;
    reader_->read(socket_->take());
    if (socket_->ended || socket_->broken) reader_->ended();
  }
  bool over() override {
    if (gone_ || session_.open() == 0) return true;
    // Refused before a request began: its head was silent for too long.
    if (streams_ == 0 && socket_->ended) return true;
    return !mayBringRequest() && streams_ > 0 && (runner_ == nullptr || runner_->ended());
  }
  std::string close() override {
    socket_->close();
    session_.loop.turn();
    if (session_.open() != 0) return "the connection outlived its client";
    if (runner_ != nullptr) return "the stream outlived its connection";
    // A head that cannot be read makes no chain; it is logged all the same.
    if (session_.log.size() < streams_ || session_.log.size() > 1) return "the stream was not logged once";
    return {};
  }

  Log& log() override { return log_; }
  FakeCalls& calls() override { return calls_; }
  const ClientRecord& client() override { return record_; }
  FakeTerminal& terminal() override { return *terminal_; }
  ChainRunner* runner() override { return runner_; }
  Stream* stream() override { return stream_; }

 private:
  // The stream's end of its chain, watched: the suite's upstream, which outlives it, or a terminal filter's own.
  class Watched : public Terminal {
   public:
    Watched(SessionBed& bed, Terminal& target) : bed_(bed), target_(target) {}
    ~Watched() override {
      bed_.runner_ = nullptr;
      bed_.stream_ = nullptr;
      if (bed_.suite_.terminal) target_.~Terminal();
    }
    void requestHeaders(bool end_stream) override { target_.requestHeaders(end_stream); }
    void requestData(std::string_view data, bool end) override { target_.requestData(data, end); }
    void requestTrailers() override { target_.requestTrailers(); }
    size_t unsentRequestBytes() const override { return target_.unsentRequestBytes(); }
    void responseCreditGrew() override { target_.responseCreditGrew(); }
    void deadlineExpired() override { target_.deadlineExpired(); }
    void cancel() override { target_.cancel(); }

   private:
    SessionBed& bed_;
    Terminal& target_;
  };
  class WatchedConfig : public TerminalConfig {
   public:
    explicit WatchedConfig(SessionBed& bed) : bed_(bed) {}
    Terminal* make(worker::WorkerServices& services, ChainRunner& runner, Stream& stream,
                   Downstream& downstream) const override {
      ++bed_.streams_;
      bed_.runner_ = &runner;
      bed_.stream_ = &stream;
      bed_.terminal_->attach(stream);
      const std::shared_ptr<const TerminalConfig>& own = bed_.suite_.terminal;
      Terminal& target = own ? *own->make(services, runner, stream, downstream) : *bed_.terminal_;
      return makeIn<Watched>(stream.arena(), bed_, target);
    }

   private:
    SessionBed& bed_;
  };

  // In three, once at each byte in turn and once anywhere; last piece first.
  void cut(const std::string& bytes) {
    const size_t one = next_cut_++ % bytes.size();
    const size_t other = choices_->pick(bytes.size());
    const size_t from = std::min(one, other), to = std::max(one, other);
    pieces_.clear();
    for (std::string piece : {bytes.substr(to), bytes.substr(from, to - from), bytes.substr(0, from)}) {
      if (!piece.empty()) pieces_.push_back(std::move(piece));
    }
  }

  const Suite& suite_;
  const bool is_http2_;
  FakeCalls calls_;
  session::TestSession session_;
  Choices* choices_ = nullptr;
  Log log_;
  ClientRecord record_;
  std::optional<FakeTerminal> terminal_;
  ChainRunner* runner_ = nullptr;
  Stream* stream_ = nullptr;
  std::unique_ptr<session::TestClient> socket_;
  std::unique_ptr<Reader> reader_;
  std::vector<std::string> pieces_;
  size_t next_cut_ = 0;
  size_t streams_ = 0;
  std::string wire_;  // all of the request
  size_t sent_ = 0;   // bytes of it
  bool gone_ = false;
};

}  // namespace

std::unique_ptr<Bed> makeSessionBed(const Suite& suite, Protocol protocol) {
  return std::make_unique<SessionBed>(suite, protocol);
}

}  // namespace sluice::filter::testing
