#include <sys/socket.h>

#include <algorithm>
#include <functional>

#include "source/http/h2/codec.h"
#include "source/http/h2/test_peer.h"
#include "source/session/test_session.h"
#include "test/support/filter/bed.h"
#include "test/support/filter/wire_client.h"

namespace sluice::filter::testing {
namespace {

namespace h2 = http::h2;

constexpr uint32_t kLargeWindow = 1 << 24;

class SocketBed : public SessionBed {
 public:
  SocketBed(const Suite& suite, Protocol protocol, SessionBedOptions options)
      : suite_(suite),
        protocol_(protocol),
        is_http2_(protocol == Protocol::kHttp2),
        options_(std::move(options)),
        session_(&calls_, options_.slots) {
    if (options_.filter_timers) calls_.clock = &session_.loop.timers();
    session_.settings->codec_type = is_http2_ ? session::CodecType::kHttp2 : session::CodecType::kHttp1;
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
    gone_ = held_ = reads_on_ = said_ = false;
    session_.tables.set(0, suite_.table);
    session_.settings->chain = fixedChain(std::move(chain));
    socket_ = session_.connect(http::h1::makeServerCodec, h2::makeServerCodec, [this](Accepted& accepted) {
      if (options_.send_buffer == 0) return;
      setsockopt(accepted.fd.get(), SOL_SOCKET, SO_SNDBUF, &options_.send_buffer, sizeof(options_.send_buffer));
    });
    reader_ = makeReader(protocol_, suite_.request.method, record_);
    wire_ = requestBytes(protocol_, suite_.request, request, options_.window);
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
    growWindow();
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
    const std::string reset = rest + h2::rst(kClientStream, h2::kCancel);
    if (how == 1) return socket_->send(reset);
    if (how == 2)
      return socket_->send(reset + h2::data(kClientStream, "late") + h2::data(kClientStream, "later", true));
    if (how == 3) socket_->send(reset + h2::goaway(0, h2::kNoError));
    if (how == 4) socket_->send(rest + h2::settings() + h2::goaway(0, h2::kNoError));
    socket_->close();
  }
  void timeOut() override { session_.loop.pass(session_.settings->stream_idle_timeout); }
  void settle() override {
    session_.loop.turn();
    if (gone_ || held_) return;
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

  worker::testing::TestWorker& worker() override { return session_; }
  void hold(bool on) override {
    held_ = on;
    if (on || gone_) return;
    reads_on_ = true;
    growWindow();
    settle();
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
    Watched(SocketBed& bed, Terminal& target) : bed_(bed), target_(target) {}
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
    SocketBed& bed_;
    Terminal& target_;
  };
  class WatchedConfig : public TerminalConfig {
   public:
    explicit WatchedConfig(SocketBed& bed) : bed_(bed) {}
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
    SocketBed& bed_;
  };

  // Once at each byte in turn, and anywhere; last piece first.
  void cut(const std::string& bytes) {
    std::vector<size_t> cuts{next_cut_++ % bytes.size()};
    for (size_t i = 0; i < options_.cuts; ++i) cuts.push_back(choices_->pick(bytes.size()));
    std::sort(cuts.begin(), cuts.end(), std::greater<>());
    pieces_.clear();
    size_t end = bytes.size();
    cuts.push_back(0);
    for (const size_t at : cuts) {
      if (at < end) pieces_.push_back(bytes.substr(at, end - at));
      end = at;
    }
  }
  // Once, between two frames.
  void growWindow() {
    const bool may = is_http2_ && options_.window != kDefaultWindow && reads_on_ && !said_;
    // Behind what it says of itself first.
    if (!may || sent_ <= h2::magic().size() || frameEnd(wire_, sent_) != sent_) return;
    said_ = true;
    socket_->send(h2::settings(windowSetting(kLargeWindow)) + h2::windowUpdate(0, kLargeWindow));
  }

  const Suite& suite_;
  const Protocol protocol_;
  const bool is_http2_;
  const SessionBedOptions options_;
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
  bool held_ = false;      // it reads nothing
  bool reads_on_ = false;  // it has read on once
  bool said_ = false;      // that its window is larger
};

}  // namespace

std::unique_ptr<SessionBed> makeSessionBed(const Suite& suite, Protocol protocol, SessionBedOptions options) {
  return std::make_unique<SocketBed>(suite, protocol, std::move(options));
}

}  // namespace sluice::filter::testing
