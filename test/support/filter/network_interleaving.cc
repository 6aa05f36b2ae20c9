#include "test/support/filter/network_interleaving.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "source/net/test_socket.h"
#include "test/support/filter/accepted.h"
#include "test/support/filter/choices.h"
#include "test/support/filter/network_filters.h"

namespace sluice::filter::testing {
namespace {

using namespace std::chrono_literals;

// What the guards around the filters see.
struct Watch {
  std::string problem;
  size_t live = 0;  // filters

  void report(std::string text) {
    if (problem.empty()) problem = std::move(text);
  }
};

// A filter with its hooks watched.
class Guard : public NetworkFilter {
 public:
  Guard(std::unique_ptr<NetworkFilter> inner, Watch& watch) : inner_(std::move(inner)), watch_(watch) { ++watch.live; }
  ~Guard() override {
    --watch_.live;
    if (opened_ && !over_) watch_.report("a filter was not told of the end");
  }

  NetworkResult onNewConnection(NetworkStream& stream) override {
    if (std::exchange(opened_, true)) watch_.report("onNewConnection ran twice");
    return inner_->onNewConnection(stream);
  }
  NetworkResult onData(Chunk& chunk, NetworkStream& stream) override {
    enter(read_ended_, chunk, "onData");
    return leave(inner_->onData(chunk, stream));
  }
  NetworkResult onWrite(Chunk& chunk, NetworkStream& stream) override {
    enter(write_ended_, chunk, "onWrite");
    return leave(inner_->onWrite(chunk, stream));
  }
  void onEnd(NetworkStream& stream) override {
    if (!opened_) watch_.report("onEnd ran for a filter that was not asked");
    if (std::exchange(over_, true)) watch_.report("onEnd ran twice");
    inner_->onEnd(stream);
  }

 private:
  void enter(bool& ended, const Chunk& chunk, const std::string& hook) {
    if (!opened_) watch_.report(hook + " ran before onNewConnection");
    if (over_) watch_.report(hook + " ran after the end of the connection");
    if (closed_ && hook == "onData") watch_.report(hook + " ran after the filter's close");
    if (std::exchange(ended, chunk.endStream())) watch_.report(hook + " ran after the end of its direction");
  }
  NetworkResult leave(NetworkResult result) {
    closed_ |= result.kind() == NetworkResult::Kind::kClose;
    return result;
  }

  const std::unique_ptr<NetworkFilter> inner_;
  Watch& watch_;
  bool opened_ = false, closed_ = false, over_ = false, read_ended_ = false, write_ended_ = false;
};

class GuardFactory : public NetworkFilterFactory {
 public:
  GuardFactory(std::shared_ptr<const NetworkFilterFactory> inner, Watch& watch)
      : inner_(std::move(inner)), watch_(watch) {}
  std::unique_ptr<NetworkFilter> create() const override {
    std::unique_ptr<NetworkFilter> made = inner_->create();
    if (!made) return nullptr;
    return std::make_unique<Guard>(std::move(made), watch_);
  }
  NetworkResult admit(NetworkStream& stream) const override { return inner_->admit(stream); }
  void onEnd(NetworkStream& stream, bool admitted) const override { inner_->onEnd(stream, admitted); }

 private:
  const std::shared_ptr<const NetworkFilterFactory> inner_;
  Watch& watch_;
};

enum class Fault { kNone, kReset, kGone, kBadAnswer, kNeverAnswered };
constexpr size_t kFaults = 5;

class Run {
 public:
  Run(const NetworkSuite& suite, Choices& choices) : suite_(suite), choices_(choices), bed_(suite.bed(calls_)) {
    fault_ = static_cast<Fault>(choices.pick(kFaults));
    cut_ = choices.pick(suite.request.size() + 1);
    net::SocketPair pair = fault_ == Fault::kReset ? net::tcpPair() : net::unixPair();
    client_ = std::move(pair.peers);
    Accepted accepted = acceptedOf(std::move(pair.ours));
    NetworkFilters filters;
    for (const auto& filter : suite.filters()) filters.push_back(std::make_shared<const GuardFactory>(filter, watch_));
    accepted.filters = std::make_shared<const NetworkFilters>(std::move(filters));
    bed_->serve(std::move(accepted));
    step("begin, cut at " + std::to_string(cut_));
  }

  std::string make() {
    for (int steps = 0; steps < 1000 && problem_.empty(); ++steps) {
      std::vector<Event> events = possible();
      if (events.empty()) break;
      happen(events[choices_.pick(events.size()) % events.size()]);
    }
    if (problem_.empty()) finish();
    check();
    if (problem_.empty()) return {};
    std::string out = problem_ + "; fault " + std::to_string(static_cast<int>(fault_)) + ", got '" + got_ + "':";
    for (const std::string& event : trace_) out += "\n  " + event;
    return out;
  }

 private:
  enum class Event { kSend, kEnd, kAnswer, kFault };

  std::vector<Event> possible() {
    std::vector<Event> out;
    if ((calls_.waiting() > 0 || grpcWaiting() != nullptr) && fault_ != Fault::kNeverAnswered)
      out.push_back(Event::kAnswer);
    if (gone_) return out;
    if (sent_ < suite_.request.size()) {
      out.push_back(Event::kSend);
    } else if (suite_.half_closes && !ended_) {
      out.push_back(Event::kEnd);
    }
    if (fault_ == Fault::kReset || fault_ == Fault::kGone) out.push_back(Event::kFault);
    return out;
  }

  void happen(Event event) {
    switch (event) {
      case Event::kSend: {
        const size_t to = sent_ < cut_ ? cut_ : suite_.request.size();
        const std::string piece = suite_.request.substr(sent_, to - sent_);
        (void)!::send(client_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        sent_ = to;
        return step("the client sends " + std::to_string(piece.size()) + " bytes");
      }
      case Event::kEnd:
        ended_ = true;
        shutdown(client_.get(), SHUT_WR);
        return step("the client ends");
      case Event::kAnswer: {
        if (FakeGrpcCall* call = grpcWaiting()) return answerGrpc(*call);
        const bool bad = fault_ == Fault::kBadAnswer && !calls_.isTimer(0);
        answered_badly_ |= bad;
        calls_.answer({.status = static_cast<uint16_t>(bad ? 403 : 200)});
        return step(bad ? "a bad answer" : "an answer");
      }
      case Event::kFault: {
        gone_ = true;
        if (fault_ == Fault::kReset) {
          const linger now{1, 0};
          setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        take();
        client_ = net::Fd();
        return step("the client goes");
      }
    }
  }

  FakeGrpcCall* grpcWaiting() const {
    for (FakeGrpcCall* call : calls_.grpc) {
      if (!call->ended) return call;
    }
    return nullptr;
  }

  void answerGrpc(FakeGrpcCall& call) {
    const bool bad = fault_ == Fault::kBadAnswer;
    answered_badly_ |= bad;
    if (!bad) call.message(suite_.grpc_answer);
    call.end(bad ? 14 : 0);
    step(bad ? "a gRPC error" : "a gRPC answer");
  }

  void step(std::string what) {
    trace_.push_back(std::move(what));
    for (int i = 0; i < 3; ++i) {
      bed_->loop().turn();
      bed_->settle();
    }
    bed_->loop().turn();
    take();
    if (!suite_.reply.starts_with(got_)) problem_ = "the client got what is not due";
    if (!watch_.problem.empty()) problem_ = watch_.problem;
  }

  void take() {
    if (!client_.valid()) return;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(client_.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) got_.append(buffer, n);
    if (n == 0 || errno != EAGAIN) over_ = true;
  }

  // Nothing more happens of itself; what is left has its time.
  void finish() {
    const bool whole = !gone_ && !answered_badly_ && fault_ != Fault::kNeverAnswered && !suite_.closes;
    if (whole && got_ != suite_.reply) problem_ = "the client did not get all that is due";
    if (whole && !over_) problem_ = "the connection did not end";
    const bool waits = fault_ == Fault::kNeverAnswered && !over_;
    for (int i = 0; i < 3; ++i) {
      bed_->loop().pass(10s);
      bed_->settle();
    }
    take();
    if (!waits && !bed_->connections().empty() && problem_.empty()) problem_ = "a connection is left";
  }

  void check() {
    while (!bed_->connections().empty()) bed_->connections().front().closeNow("test_end");
    bed_->loop().turn();
    if (problem_.empty()) problem_ = watch_.problem;
    if (problem_.empty() && watch_.live > 0) problem_ = "a filter is left";
    if (problem_.empty() && (calls_.waiting() > 0 || !calls_.grpc.empty())) problem_ = "a call-out is left";
  }

  const NetworkSuite& suite_;
  Choices& choices_;
  Watch watch_;
  FakeCalls calls_;
  std::unique_ptr<NetworkBed> bed_;
  net::Fd client_;
  Fault fault_;
  size_t cut_ = 0, sent_ = 0;
  bool ended_ = false;  // by the client
  bool gone_ = false, answered_badly_ = false;
  bool over_ = false;  // the client saw the end
  std::string got_, problem_;
  std::vector<std::string> trace_;
};

}  // namespace

std::string runNetworkInterleavings(const NetworkSuite& suite, size_t* runs) {
  Choices choices(suite.max_runs, suite.max_runs);
  do {
    const std::string problem = Run(suite, choices).make();
    if (!problem.empty()) return "run " + std::to_string(choices.runs()) + ": " + problem;
  } while (choices.next());
  if (runs != nullptr) *runs = choices.runs();
  return {};
}

std::string runNetworkFilters(const std::function<std::unique_ptr<NetworkBed>(Calls&)>& bed, const std::string& request,
                              const std::string& reply, bool half_closes) {
  struct Chain {
    const char* name;
    std::function<NetworkFilters()> filters;
    bool doubles = false;
    bool closes = false;
  };
  const Chain chains[] = {
      {"waits for a timer", [] { return NetworkFilters{waitsForTimer()}; }},
      {"waits for a call", [] { return NetworkFilters{waitsForCall()}; }},
      {"waits at the first bytes", [] { return NetworkFilters{waitsAtFirstBytes()}; }},
      {"waits for two calls",
       [] {
         return NetworkFilters{waitsForCall(), waitsForCall()};
       }},
      {"doubling", [] { return NetworkFilters{doubling()}; }, true},
      {"pausing", [] { return NetworkFilters{pausing()}; }},
      {"all of them",
       [] {
         return NetworkFilters{waitsForCall(), pausing(), doubling(), waitsAtFirstBytes()};
       },
       true},
      {"closing", [] { return NetworkFilters{closing(CloseAt::kClientByte, 3, {})}; }, false, true},
      {"closing late",
       [] {
         return NetworkFilters{pausing(), closing(CloseAt::kClientByte, 3, 500ms)};
       },
       false, true},
      {"closing the answer",
       [] {
         return NetworkFilters{closing(CloseAt::kTerminalByte, 3, 500ms), pausing()};
       },
       false, true},
      {"forgetting", [] { return NetworkFilters{forgetting()}; }, false, true},
  };
  for (const Chain& chain : chains) {
    NetworkSuite suite{.filters = chain.filters,
                       .bed = bed,
                       .request = chain.doubles ? doubled(request) : request,
                       .reply = chain.doubles ? doubled(reply) + "." : reply,
                       .half_closes = half_closes,
                       .closes = chain.closes};
    const std::string problem = runNetworkInterleavings(suite);
    if (!problem.empty()) return std::string(chain.name) + ", " + problem;
  }
  return {};
}

}  // namespace sluice::filter::testing
