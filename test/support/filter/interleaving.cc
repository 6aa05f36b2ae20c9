#include "test/support/filter/interleaving.h"

#include <algorithm>

#include "source/event/simulated_loop.h"
#include "test/support/filter/bed.h"
#include "test/support/filter/guard.h"

namespace sluice::filter::testing {
namespace {

constexpr size_t kHookCount = 6;
constexpr size_t kMaxSessionRuns = 1000;  // each takes some system calls

// Replies at one hook.
Script replier(size_t hook) {
  const auto reply = [](auto&, Context&) -> HookResult { return Reply{418, "no", "hook_replied"}; };
  Script script{.name = "replier", .hooks = static_cast<uint8_t>(1 << hook)};
  if (hook == 0) script.request_headers = reply;
  if (hook == 1) script.request_data = reply;
  if (hook == 2) script.request_trailers = reply;
  if (hook == 3) script.response_headers = reply;
  if (hook == 4) script.response_data = reply;
  if (hook == 5) script.response_trailers = reply;
  return script;
}

enum class Fault {
  kNone,
  kClientGone,
  kUpstreamGone,
  kSessionReply,
  kNeverAnswered,
  kBadAnswer,
  kReplyInFront,
  kReplyBehind,
};

// On a bare chain, all on the caller's stack.
class ChainBed : public Bed {
 public:
  void begin(Chain chain, Events request, Choices&) override {
    request_ = std::move(request);
    harness_.emplace(std::move(chain), suite_.table);
    if (suite_.terminal) harness_->endIn(*suite_.terminal);
  }
  bool mayBringRequest() override {
    if (request_->done()) return false;
    const Events::Event& event = request_->list[request_->at];
    return event.kind != Events::Event::kData || runner()->requestCredit() >= event.bytes.size();
  }
  void bringRequest() override {
    const Events::Event& event = request_->list[request_->at++];
    switch (event.kind) {
      case Events::Event::kHead:
        harness_->stream.request().path = suite_.request.path;
        return harness_->request(suite_.request.method, suite_.request.headers, event.end_stream);
      case Events::Event::kData:
        return runner()->requestData(event.bytes, event.end_stream);
      case Events::Event::kTrailers:
        return harness_->requestTrailers({{"mark", "request"}});
    }
  }
  bool requestBegan() const override { return request_->at > 0; }
  bool requestDone() const override { return request_->done(); }
  void clientGone() override { runner()->end(); }
  // As the session does it.
  void timeOut() override {
    if (harness_->client.heads > 0) return harness_->client.resetStream("timeout");
    runner()->localReply(Reply{504, "timeout", "timeout"});
  }
  void settle() override {
    if (suite_.pool != nullptr) harness_->stream.testWorker().loop.settle();
  }
  bool over() override { return runner()->ended(); }
  std::string close() override {
    runner()->end();
    harness_->runner.reset();
    return {};
  }

  Log& log() override { return harness_->log; }
  FakeCalls& calls() override { return harness_->calls; }
  const ClientRecord& client() override { return harness_->client; }
  FakeTerminal& terminal() override { return harness_->terminal; }
  ChainRunner* runner() override { return &*harness_->runner; }
  Stream* stream() override { return &harness_->stream; }

  explicit ChainBed(const Suite& suite) : suite_(suite) {}

 private:
  const Suite& suite_;
  std::optional<Events> request_;
  std::optional<Harness> harness_;
};

class Run {
 public:
  Run(const Suite& suite, Choices& choices, Bed& bed)
      : suite_(suite),
        choices_(choices),
        bed_(bed),
        fault_(pickFault()),
        response_(suite.response, pickSplit(suite.response)) {
    watch_.bed = &bed;
    Events request(suite.request, pickSplit(suite.request));
    bed.begin(chain(), std::move(request), choices);
    script_.log = &bed.log();
  }

  std::string go() {
    while (watch_.problem.empty() && !bed_.over() && step()) {
    }
    checkEnd();
    if (bed_.calls().waiting() != 0 || !bed_.calls().grpc.empty()) {
      watch_.report("a call-out outlived its stream");
    }
    if (suite_.pool != nullptr && suite_.pool->waiting() > 0) watch_.report("work outlived its stream");
    if (watch_.problem.empty()) return {};
    std::string text = watch_.problem + "\n";
    for (const std::string& line : bed_.log()) text += "  " + line + "\n";
    return text;
  }

 private:
  Fault pickFault() {
    const size_t simple = suite_.bad_answers.empty() && !suite_.grpc_answer ? 4 : 6;
    const size_t picked = choices_.pick(simple + 2 * kHookCount);
    if (picked < simple) return static_cast<Fault>(picked);
    hook_ = (picked - simple) % kHookCount;
    return picked - simple < kHookCount ? Fault::kReplyInFront : Fault::kReplyBehind;
  }
  // Splits are tried at each byte; where the order is what matters, bodies of a byte or two do.
  size_t pickSplit(const Message& message) { return message.body.empty() ? 0 : choices_.pick(message.body.size()); }

  Bed::Chain chain() {
    Bed::Chain entries = suite_.entries ? suite_.entries() : entriesOf(suite_.chain());
    script_ = replier(hook_);
    constexpr route::FilterSlot kNoSlot = 1000;
    if (fault_ == Fault::kReplyInFront) entries.insert(entries.begin(), {"replier", scripted(script_), kNoSlot});
    if (fault_ == Fault::kReplyBehind) entries.push_back({"replier", scripted(script_), kNoSlot});
    for (auto& entry : entries) entry.factory = guarded(std::move(entry.factory), entry.name, watch_);
    return entries;
  }

  ChainRunner& runner() { return *bed_.runner(); }
  bool upstreamLives() {
    return bed_.runner() != nullptr && bed_.terminal().heads > 0 && !bed_.terminal().cancelled && !upstream_gone_ &&
           !response_.done();
  }

  // One event of those that can come now. False if none can.
  bool step() {
    std::vector<std::function<void()>> possible;
    if (bed_.mayBringRequest()) possible.push_back([this] { bed_.bringRequest(); });
    if (upstreamLives() && mayRespond()) {
      possible.push_back([this] { bringResponse(); });
    }
    if (!(fault_ == Fault::kNeverAnswered && fault_used_)) {
      for (size_t i = 0; i < bed_.calls().waiting(); ++i) {
        if (bed_.calls().isTimer(i)) continue;
        possible.push_back([this, i] { bed_.calls().answer(suite_.answer(bed_.calls().request(i)), i); });
      }
      for (FakeGrpcCall* call : bed_.calls().grpc) addGrpcAnswer(*call, possible);
    }
    if (suite_.pool != nullptr && suite_.pool->waiting() > 0) possible.push_back([this] { suite_.pool->runOne(); });
    if (fault_used_ && (fault_ == Fault::kNeverAnswered || fault_ == Fault::kBadAnswer) && timers() > 0) {
      possible.push_back([this] { bed_.calls().expire(); });
    }
    addFault(possible);
    if (possible.empty()) return false;
    possible[choices_.pick(possible.size())]();
    bed_.settle();
    return true;
  }

  size_t timers() {
    size_t timers = 0;
    for (size_t i = 0; i < bed_.calls().waiting(); ++i) timers += bed_.calls().isTimer(i) ? 1 : 0;
    return timers;
  }
  bool callsWait() {
    if (bed_.calls().waiting() > 0) return true;
    for (const FakeGrpcCall* call : bed_.calls().grpc) {
      if (call->answered < call->messages.size()) return true;
    }
    return false;
  }
  void addGrpcAnswer(FakeGrpcCall& call, std::vector<std::function<void()>>& possible) {
    if (call.ended) return;
    if (call.answered < call.messages.size()) {
      possible.push_back([this, &call] {
        const std::string& message = call.messages[call.answered++];
        bed_.log().push_back("server answers " + call.request.path);
        call.message(suite_.grpc_answer(call.request, message));
      });
    } else if (call.client_ended) {
      possible.push_back([&call] { call.end(0); });
    }
  }
  void addBadGrpc(FakeGrpcCall& call, const std::function<void(std::function<void()>)>& add) {
    if (call.ended) return;
    for (const std::string& bad : suite_.bad_grpc_answers) {
      add([this, &call, &bad] {
        bed_.log().push_back("server answers badly");
        if (call.answered < call.messages.size()) ++call.answered;
        call.message(bad);
      });
    }
    add([this, &call] {
      bed_.log().push_back("server fails");
      call.end(14, "gone");
    });
  }

  bool mayRespond() {
    const Events::Event& event = response_.list[response_.at];
    return event.kind != Events::Event::kData || runner().responseCredit() >= event.bytes.size();
  }

  void addFault(std::vector<std::function<void()>>& possible) {
    if (fault_used_) return;
    auto add = [&](std::function<void()> happen) {
      possible.push_back([this, happen = std::move(happen)] {
        fault_used_ = true;
        happen();
      });
    };
    switch (fault_) {
      case Fault::kClientGone:
        return add([this] { bed_.clientGone(); });
      case Fault::kUpstreamGone:
        if (upstreamLives()) add([this] { loseUpstream(); });
        return;
      case Fault::kSessionReply:
        if (!bed_.requestBegan()) return;
        return add([this] { bed_.timeOut(); });
      case Fault::kNeverAnswered:
        if (callsWait()) add([] {});
        return;
      case Fault::kBadAnswer:
        for (FakeGrpcCall* call : bed_.calls().grpc) addBadGrpc(*call, add);
        if (timers() > 0) add([this] { bed_.calls().expire(); });
        for (size_t i = 0; i < bed_.calls().waiting(); ++i) {
          if (bed_.calls().isTimer(i)) continue;
          for (const HttpCallResponse& bad : suite_.bad_answers) {
            add([this, i, &bad] { bed_.calls().answer(bad, i); });
          }
        }
        return;
      case Fault::kNone:
      case Fault::kReplyInFront:
      case Fault::kReplyBehind:
        return;
    }
  }

  void bringResponse() {
    const Events::Event& event = response_.list[response_.at++];
    switch (event.kind) {
      case Events::Event::kHead:
        return respond(event.end_stream);
      case Events::Event::kData:
        return runner().responseData(event.bytes, event.end_stream);
      case Events::Event::kTrailers:
        bed_.stream()->responseTrailers().add("mark", "response");
        return runner().responseTrailers();
    }
  }
  void respond(bool end_stream) {
    http::ResponseHeaders& headers = bed_.stream()->response();
    headers.clear();
    headers.status = 200;
    for (const auto& [name, value] : suite_.response.headers) headers.add(name, value);
    runner().responseHeaders(end_stream);
  }
  // As the router does it.
  void loseUpstream() {
    upstream_gone_ = true;
    if (response_.at > 0) return runner().resetResponse("upstream_gone");
    runner().localReply(Reply{503, "upstream gone", "upstream_gone"});
  }

  bool faultless() const {
    switch (fault_) {
      case Fault::kNone:
        return true;
      case Fault::kReplyInFront:
      case Fault::kReplyBehind:
        return false;
      default:
        return !fault_used_;
    }
  }

  void checkEnd() {
    const bool over = bed_.over();
    const bool waits = callsWait();
    if (over && bed_.client().complete && !bed_.client().credit_was_full) checkCredit();
    if (const std::string left = bed_.close(); !left.empty()) watch_.report(left);
    const ClientRecord& client = bed_.client();
    const FakeTerminal& terminal = bed_.terminal();
    const std::string request_due = suite_.request_due(suite_.request.body);
    const std::string response_due = suite_.response_due(suite_.response.body);
    if (!over && !(fault_ == Fault::kNeverAnswered && waits)) {
      return watch_.report("nothing happens any more, but the stream has not ended");
    }
    if (client.heads > 1) watch_.report("the client got two responses");
    if (client.complete && !client.reset.empty()) watch_.report("the client got a response and a reset");
    if (terminal.heads > 1) watch_.report("the upstream got two requests");
    if (!request_due.starts_with(terminal.body)) watch_.report("the upstream got other bytes");
    const bool from_upstream = client.status == 200 && !answeredHere();
    if (from_upstream && !response_due.starts_with(client.body)) watch_.report("the client got other bytes");
    if (client.complete && from_upstream && client.body != response_due) {
      watch_.report("the response is complete but too short");
    }
    if (terminal.complete && terminal.body != request_due) watch_.report("the request is complete but too short");
    if (terminal.heads > 0 && !response_.done() && !upstream_gone_ && !terminal.cancelled) {
      watch_.report("the upstream was not told that its response is not wanted");
    }
    const bool gone = fault_used_ && (fault_ == Fault::kClientGone || fault_ == Fault::kNeverAnswered);
    if (!gone && !client.complete && client.reset.empty()) watch_.report("no response, and no reset");
    if (!faultless()) return;
    if (!client.complete || !from_upstream) watch_.report("no response though nothing went wrong");
    if (client.trailers.size() != trailersDue(suite_.response, suite_.response_trailers_due)) {
      watch_.report("the response has not its trailers");
    }
    if (suite_.answers_itself && terminal.heads > 0) watch_.report("the upstream was asked");
    const size_t due = trailersDue(suite_.request, suite_.request_trailers_due);
    if (bed_.requestDone() && terminal.complete && terminal.trailers.size() != due) {
      watch_.report("the request has not its trailers");
    }
  }
  static size_t trailersDue(const Message& message, std::optional<size_t> due) {
    return due.value_or(message.has_trailers ? 1 : 0);
  }
  bool answeredHere() {
    if (suite_.answered_here && suite_.answered_here(bed_.client())) return true;
    const auto failed = [](const auto& field) { return field.first == "grpc-status" && field.second != "0"; };
    const ClientRecord& client = bed_.client();
    return std::any_of(client.headers.begin(), client.headers.end(), failed) ||
           std::any_of(client.trailers.begin(), client.trailers.end(), failed);
  }
  // A response that is complete before its request leaves some of the request on its way.
  void checkCredit() {
    if (bed_.terminal().complete || runner().requestClosed()) watch_.report("credit did not come back");
  }

  const Suite& suite_;
  Choices& choices_;
  Bed& bed_;
  size_t hook_ = 0;
  const Fault fault_;
  bool fault_used_ = false;
  bool upstream_gone_ = false;
  Events response_;
  Watch watch_;
  Script script_;
};

}  // namespace

namespace {

std::string explore(const Suite& suite, Choices& choices, Bed& bed) {
  do {
    const std::string problem = Run(suite, choices, bed).go();
    if (!problem.empty()) return "run " + std::to_string(choices.runs()) + ": " + problem;
  } while (choices.next());
  return {};
}

}  // namespace

std::string runInterleavings(const Suite& suite, size_t* runs) {
  Choices choices(suite.max_runs, suite.max_runs);
  ChainBed bed(suite);
  std::string problem = explore(suite, choices, bed);
  if (runs != nullptr) *runs = choices.runs();
  return problem;
}

std::string runOverCodecs(const Suite& suite) {
  for (const Protocol protocol : {Protocol::kHttp1, Protocol::kHttp2}) {
    Choices choices(0, std::min(suite.max_runs, kMaxSessionRuns));
    const std::unique_ptr<Bed> bed = makeSessionBed(suite, protocol);
    const std::string problem = explore(suite, choices, *bed);
    if (!problem.empty()) return (protocol == Protocol::kHttp1 ? "HTTP/1, " : "HTTP/2, ") + problem;
  }
  return {};
}

}  // namespace sluice::filter::testing
