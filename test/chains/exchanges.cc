#include "test/chains/exchanges.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "test/chains/answers.h"
#include "test/chains/compiler.h"
#include "test/chains/filters.h"
#include "test/chains/messages.h"
#include "test/support/filter/bed.h"
#include "test/support/filter/guard.h"

namespace sluice::chains {
namespace {

using namespace std::chrono_literals;
using filter::HttpCallResponse;
using filter::testing::Choices;
using filter::testing::ClientRecord;
using filter::testing::Events;
using filter::testing::FakeCalls;
using filter::testing::FakeGrpcCall;
using filter::testing::FakeTerminal;
using filter::testing::Protocol;
using filter::testing::Watch;

std::vector<Choice> randomChoices(base::Random& random) {
  std::vector<size_t> left(choices().size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::vector<Choice> out;
  while (out.size() < 3) {
    const size_t at = random.below(left.size());
    out.push_back(oneOf(random, choices()[left[at]]));
    left.erase(left.begin() + static_cast<ptrdiff_t>(at));
  }
  return out;
}

// --- one exchange ----------------------------------------------------------------------------------------------------

// What goes wrong, and what never comes.
struct Plan {
  explicit Plan(base::Random& random)
      : client_goes(once(random, 6)),
        client_stalls(once(random, 12)),
        upstream_goes(once(random, 8)),
        upstream_silent(once(random, 10)),
        calls_silent(once(random, 10)),
        calls_fail(once(random, 6)),
        times_out(once(random, 12)),
        answers_at_once(once(random, 10)) {}

  bool client_goes, client_stalls, upstream_goes, upstream_silent, calls_silent, calls_fail, times_out, answers_at_once;
};

class Exchange {
 public:
  Exchange(base::Random& random, Choices& choices, filter::testing::SessionBed& bed, const Message& request,
           Response response)
      : random_(random),
        choices_(choices),
        bed_(bed),
        request_(request),
        response_(std::move(response)),
        response_events_(response_.message, randomPieces(random, response_.message.body)),
        plan_(random) {}

  void go(filter::testing::Bed::Chain chain) {
    bed_.begin(std::move(chain), Events(request_, randomPieces(random_, request_.body)), choices_);
    if (plan_.client_stalls) pieces_left_ = random_.below(4);
    if (plan_.answers_at_once) bed_.terminal().on_headers = [this] { answerAtOnce(); };
    while (!bed_.over() && step()) {
    }
    quiet();
  }

  // When the bed is closed: what was wrong. `responses` by their numbers.
  std::string check(Changes changes, const std::vector<Response>& responses) {
    const ClientRecord& client = bed_.client();
    checkFields("response", client.headers);
    checkFields("response's trailers", client.trailers);
    checkFields("request", terminal().headers);
    checkFields("request's trailers", terminal().trailers);
    if (!client.wrong.empty()) report(client.wrong);
    if (client.heads > 1) report("the client got two responses");
    if (client.complete && !client.reset.empty()) report("the client got a response and a reset");
    if (!client_went_ && bed_.requestDone() && !client.complete && client.reset.empty())
      report("no response, and no reset");
    checkTerminal(changes);
    checkLength("response", client.headers, client.body, client.complete && hasBody(client.status));
    checkResponse(changes, responses);
    return problem_;
  }
  std::string describe() const {
    std::string out = "  request " + request_.method + " " + request_.path + list(request_.headers) + " body of " +
                      std::to_string(request_.body.size()) + (request_.has_trailers ? " and trailers" : "") + "\n";
    out += "  response " + std::to_string(response_.status) + list(response_.message.headers) + " body of " +
           std::to_string(response_.message.body.size()) + (response_.message.has_trailers ? " and trailers" : "") +
           "\n";
    const std::pair<bool, const char*> plans[] = {
        {plan_.client_goes, "client goes"},         {plan_.client_stalls, "client stalls"},
        {plan_.upstream_goes, "upstream goes"},     {plan_.upstream_silent, "upstream is silent"},
        {plan_.calls_silent, "calls are silent"},   {plan_.calls_fail, "calls fail"},
        {plan_.times_out, "the session times out"}, {plan_.answers_at_once, "the upstream answers at once"}};
    for (const auto& [is, what] : plans) {
      if (is) out += std::string("  ") + what + "\n";
    }
    return out;
  }

 private:
  static std::string list(const Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) out += " " + name + "=" + value;
    return out;
  }
  void report(const std::string& text) {
    if (problem_.empty()) problem_ = text;
  }
  void note(const std::string& text) { bed_.log().push_back(text); }

  static const std::string* valueOf(const Fields& fields, std::string_view name) {
    for (const auto& [key, value] : fields) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  bool hasBody(uint16_t status) const { return request_.method != "HEAD" && status != 204 && status != 304; }

  // What is said of a body's length is true.
  void checkLength(const std::string& what, const Fields& fields, const std::string& body, bool whole) {
    int lengths = 0;
    for (const auto& [name, value] : fields) {
      if (name == "transfer-encoding" && what == "request") report("the upstream got a transfer-encoding");
      if (name != "content-length") continue;
      if (++lengths > 1) report("the " + what + " has two lengths");
      if (whole && value != std::to_string(body.size())) {
        report("the " + what + " says " + value + " of a body of " + std::to_string(body.size()));
      }
    }
  }
  void checkFields(const std::string& what, const Fields& fields) {
    std::map<std::string, int> seen;
    for (const auto& [name, value] : fields) {
      const bool good = !name.empty() &&
                        name.find_first_of(std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZ \r\n\0", 30)) == name.npos &&
                        value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos;
      if (!good) report("the " + what + " has a field that cannot be: " + name);
      const bool single = name == "content-type" || name == "grpc-status" || name == "etag" || name == "grpc-message";
      if (single && ++seen[name] > 1) report("the " + what + " has " + name + " twice");
    }
  }
  static bool sameType(const Fields& one, const Fields& other) {
    for (const char* const name : {"content-type", "content-encoding"}) {
      const std::string *const a = valueOf(one, name), *const b = valueOf(other, name);
      if ((a == nullptr) != (b == nullptr) || (a != nullptr && *a != *b)) return false;
    }
    return true;
  }
  static bool unchanged(Changes changes, const Fields& came, const Fields& went) {
    return changes == Changes::kNever || (changes == Changes::kWithType && sameType(came, went));
  }
  void checkTerminal(Changes changes) {
    const FakeTerminal& upstream = terminal();
    if (upstream.heads > 1) report("the upstream got two requests");
    if (upstream.heard_late) report("the upstream was told something behind the end");
    if (upstream.heads > 0 && !response_events_.done() && !upstream_went_ && !upstream.cancelled) {
      report("the upstream was not told that its response is not wanted");
    }
    checkLength("request", upstream.headers, upstream.body, upstream.complete);
    if (upstream.heads == 0 || !unchanged(changes, request_.headers, upstream.headers)) return;
    if (!request_.body.starts_with(upstream.body)) report("the upstream got other bytes");
    if (upstream.complete && upstream.body != request_.body) report("the request is complete but too short");
    const bool marked = valueOf(upstream.trailers, "mark") != nullptr;
    if (upstream.complete && request_.has_trailers != marked) {
      report("the request has other trailers");
    }
  }
  void checkResponse(Changes changes, const std::vector<Response>& responses) {
    const ClientRecord& client = bed_.client();
    const std::string* const number = valueOf(client.headers, "x-upstream");
    if (number == nullptr || client.status == 206) return;
    const Message& due = responses.at(std::stoul(*number)).message;
    if (!unchanged(changes, due.headers, client.headers)) return;
    if (!due.body.starts_with(client.body)) report("the client got other bytes");
    if (client.complete && hasBody(client.status) && client.body != due.body) {
      report("the response is complete but too short");
    }
  }

  FakeCalls& calls() { return bed_.calls(); }
  FakeTerminal& terminal() { return bed_.terminal(); }

  bool upstreamLives() {
    return bed_.runner() != nullptr && !bed_.runner()->ended() && terminal().heads > 0 && !terminal().cancelled &&
           !upstream_went_ && !response_events_.done();
  }
  bool mayRespond() {
    if (!upstreamLives() || plan_.upstream_silent) return false;
    const Events::Event& event = response_events_.list[response_events_.at];
    return event.kind != Events::Event::kData || bed_.runner()->responseCredit() >= event.bytes.size();
  }
  bool mayBringRequest() { return bed_.mayBringRequest() && pieces_left_ > 0; }
  bool callsWait() {
    if (calls().waiting() > 0) return true;
    for (const FakeGrpcCall* call : calls().grpc) {
      if (!call->ended) return true;
    }
    return false;
  }

  // One of the events that can come now. False if none can but time.
  bool step() {
    std::vector<std::function<void()>> possible;
    const auto add = [&](int weight, const std::function<void()>& happen) {
      for (; weight > 0; --weight) possible.push_back(happen);
    };
    if (mayBringRequest()) {
      add(6, [this] {
        --pieces_left_;
        bed_.bringRequest();
      });
    }
    if (mayRespond()) add(6, [this] { bringResponse(); });
    if (!plan_.calls_silent) {
      for (size_t i = 0; i < calls().waiting(); ++i) add(3, [this, i] { answer(i); });
      for (FakeGrpcCall* call : calls().grpc) addGrpc(*call, add);
    }
    if (possible.empty() && !faultLeft()) return false;
    if (plan_.client_goes && !client_went_) add(1, [this] { goAway(); });
    if (plan_.upstream_goes && upstreamLives()) add(1, [this] { loseUpstream(); });
    if (plan_.times_out && !timed_out_ && bed_.requestBegan()) {
      add(1, [this] {
        note("the session times out");
        timed_out_ = true;
        bed_.timeOut();
      });
    }
    if (bed_.runner() != nullptr && terminal().heads > 0) add(1, [this] { turnWatermark(); });
    add(1, [this] {
      held_ = !held_;
      note(held_ ? "client reads nothing" : "client reads on");
      bed_.hold(held_);
    });
    add(1, [this] {
      const auto time = oneOf<std::chrono::milliseconds>(random_, {1ms, 50ms, 1s, 3s});
      note("time passes: " + std::to_string(time.count()));
      bed_.worker().loop.pass(time);
    });
    add(1, [this] { bed_.worker().runMain(); });
    possible[random_.below(possible.size())]();
    bed_.settle();
    return ++steps_ < 2000;
  }
  bool faultLeft() { return plan_.client_goes && !client_went_; }

  // Nothing comes any more but time, and what it leads to.
  void quiet() {
    readOn();
    for (const auto time : {10ms, 100ms, 1'000ms, 10'000ms, 30'000ms, 60'000ms}) {
      while (!bed_.over() && step()) {
      }
      readOn();
      if (bed_.over()) break;
      bed_.worker().loop.pass(time);
      bed_.settle();
    }
    readOn();
    if (steps_ >= 2000) return report("it does not come to rest");
    const bool waits = upstreamLives() || callsWait() || bed_.mayBringRequest();
    if (!over() && !waits) report("nothing happens any more, but the stream has not ended");
    if (over()) return;
    note("the session gives up");
    // Once in vain where a filter waits with the answer that the session makes, too.
    for (int i = 0; i < 3 && !over(); ++i) {
      bed_.timeOut();
      bed_.settle();
    }
    if (!over()) report("the stream does not end");
  }
  void readOn() {
    bed_.hold(held_ = false);
    if (unsent_) turnWatermark();
    // A small socket takes some turns for a frame.
    size_t got = 0;
    for (int turns = 0; turns < 10; ++turns) {
      bed_.settle();
      if (std::exchange(got, bed_.client().body.size()) != bed_.client().body.size()) turns = 0;
    }
  }
  // Whether the stream has ended, whatever still comes of its request. One whose head never came has not begun.
  bool over() { return bed_.over() || bed_.runner() == nullptr || bed_.runner()->ended(); }

  // --- the ends ---
  void goAway() {
    note("client goes");
    client_went_ = true;
    bed_.clientGone();
  }
  void bringResponse() {
    const Events::Event& event = response_events_.list[response_events_.at++];
    switch (event.kind) {
      case Events::Event::kHead:
        note(event.end_stream ? "upstream answers, with a head only" : "upstream answers");
        return respond(event.end_stream);
      case Events::Event::kData:
        note("upstream sends " + std::to_string(event.bytes.size()) + (event.end_stream ? ", the last" : ""));
        return bed_.runner()->responseData(event.bytes, event.end_stream);
      case Events::Event::kTrailers:
        note("upstream sends trailers");
        bed_.stream()->responseTrailers().add("mark", "response");
        bed_.stream()->responseTrailers().add("grpc-status", "0");
        return bed_.runner()->responseTrailers();
    }
  }
  void respond(bool end_stream) {
    http::ResponseHeaders& head = bed_.stream()->response();
    head.clear();
    head.status = response_.status;
    for (const auto& [name, value] : response_.message.headers) head.add(name, value);
    bed_.runner()->responseHeaders(end_stream);
  }
  // Inside the call that brings the request.
  void answerAtOnce() {
    if (plan_.upstream_goes) return loseUpstream();
    if (!plan_.upstream_silent && upstreamLives()) bringResponse();
  }
  void loseUpstream() {
    note("upstream goes");
    upstream_went_ = true;
    if (response_events_.at > 0) return bed_.runner()->resetResponse("upstream_gone");
    bed_.runner()->localReply(filter::Reply{503, "upstream gone", "upstream_gone"});
  }
  // The upstream's buffer is full, or has room again.
  void turnWatermark() {
    unsent_ = !unsent_;
    note(unsent_ ? "upstream is full" : "upstream has room");
    terminal().unsent = unsent_ ? 1 << 20 : 0;
    if (!unsent_ && bed_.runner() != nullptr && !terminal().cancelled) bed_.runner()->requestProgress();
  }

  // --- services ---
  void answer(size_t index) {
    HttpCallResponse response =
        plan_.calls_fail && once(random_, 2) ? HttpCallResponse{.failure = "reset"} : randomAnswer(random_);
    note("call to " + calls().request(index).cluster + " answered: " + std::to_string(response.status));
    calls().answer(std::move(response), index);
  }
  void addGrpc(FakeGrpcCall& call, const std::function<void(int, const std::function<void()>&)>& add) {
    if (call.ended) return;
    if (call.answered < call.messages.size()) {
      add(4, [this, &call] {
        const std::string& question = call.messages[call.answered++];
        note("service answers " + call.request.path);
        call.message(randomGrpcAnswer(random_, call, question));
      });
    } else if (call.client_ended) {
      add(3, [this, &call] {
        note("service ends " + call.request.path);
        call.end(0);
      });
    }
    if (plan_.calls_fail) {
      add(1, [this, &call] {
        note("service fails " + call.request.path);
        call.end(14, "gone");
      });
    }
  }

  base::Random& random_;
  Choices& choices_;
  filter::testing::SessionBed& bed_;
  const Message& request_;
  const Response response_;
  Events response_events_;
  const Plan plan_;
  std::string problem_;
  size_t pieces_left_ = SIZE_MAX;
  size_t steps_ = 0;
  bool client_went_ = false, upstream_went_ = false, timed_out_ = false;
  bool held_ = false, unsent_ = false;
};

// --- all of a seed ---------------------------------------------------------------------------------------------------

class Seed {
 public:
  explicit Seed(uint64_t seed)
      : random_(seed),
        choices_(0, 1, seed),
        protocol_(once(random_, 2) ? Protocol::kHttp1 : Protocol::kHttp2),
        bed_(filter::testing::makeSessionBed(suite_, protocol_, options(random_, slots_))),
        compiler_(bed_->worker().registry, slots_),
        chosen_(randomChoices(random_)) {
    watch_.bed = bed_.get();
  }

  std::string run() {
    for (const Choice& choice : chosen_) {
      chain_.push_back(compiler_.compile(choice, watch_));
      chain_.back().disabled = once(random_, 12);
      // What two of them make of a body may have the type of before.
      const bool twice = changes_ != Changes::kNever && choice.row->changes != Changes::kNever;
      changes_ = twice ? Changes::kAny : std::max(changes_, choice.row->changes);
      if (!chain_.back().factory) return describe() + compiler_.problems();
    }
    suite_.table = compiler_.table(random_);
    const size_t exchanges = 1 + random_.below(3);
    for (size_t i = 0; i < exchanges; ++i) {
      if (std::string problem = exchange(i); !problem.empty()) return describe() + problem;
    }
    chain_.clear();
    return checkGauges();
  }

 private:
  static filter::testing::SessionBedOptions options(base::Random& random, worker::LocalSlots slots) {
    filter::testing::SessionBedOptions out;
    out.cuts = random.below(6);
    out.filter_timers = true;
    out.window = static_cast<uint32_t>(once(random, 3) ? random.below(20) : 65534);
    if (once(random, 3)) out.send_buffer = 4608;
    out.slots = std::move(slots);
    return out;
  }

  std::string exchange(size_t number) {
    suite_.request = randomRequest(random_, protocol_ == Protocol::kHttp2);
    Response response = randomResponse(random_, suite_.request, number);
    responses_.push_back(response);
    Exchange exchange(random_, choices_, *bed_, suite_.request, std::move(response));
    exchange.go(chain_);
    if (const std::string left = bed_->close(); !left.empty()) watch_.report(left);
    bed_->worker().loop.turn();
    if (watch_.filters != 0) watch_.report("a filter outlived its stream");
    const FakeCalls& calls = bed_->calls();
    if (calls.waiting() != 0 || !calls.grpc.empty() || !calls.http.empty()) {
      watch_.report("a call-out outlived its stream");
    }
    std::string problem = exchange.check(changes_, responses_);
    if (problem.empty()) problem = watch_.problem;
    if (problem.empty()) return {};
    return problem + ", exchange " + std::to_string(number) + "\n" + exchange.describe() + logText();
  }
  std::string logText() {
    std::string text;
    for (const std::string& line : bed_->log()) text += "  " + line.substr(0, 200) + "\n";
    const ClientRecord& client = bed_->client();
    text += "  client got " + std::to_string(client.status) + (client.complete ? " whole" : "") + " " + client.reset +
            " " + std::to_string(client.body.size()) + " of body\n";
    for (const auto& [name, value] : client.headers) text += "    " + name + ": " + value + "\n";
    return text + "    " + client.body.substr(0, 200) + "\n";
  }
  // Levels that are not counts of what is under way.
  static bool isLevel(std::string_view name) {
    return name.ends_with("concurrency_limit") || name.ends_with("min_rtt_msecs") ||
           name.ends_with("sample_rtt_msecs") || name.ends_with("min_rtt_calculation_active") ||
           name.ends_with("headroom") || name.ends_with("gradient") || name.ends_with("burst_queue_size");
  }
  std::string checkGauges() {
    auto& stats = bed_->worker().registry;
    for (const auto* stat : stats.stats()) {
      const auto value = stat->kind == observability::StatKind::kGauge ? stats.valueOf(stat->name).value_or(0) : 0;
      if (value != 0 && !isLevel(stat->name)) {
        return describe() + "the gauge " + stat->name + " is left at " + std::to_string(value) + "\n";
      }
    }
    return {};
  }
  std::string describe() const {
    std::string out = protocol_ == Protocol::kHttp1 ? "HTTP/1:" : "HTTP/2:";
    for (const Choice& choice : chosen_) {
      out += " " + std::string(choice.row->folder) + "#" + std::to_string(choice.which);
    }
    return out + "\n";
  }

  base::Random random_;
  Choices choices_;
  const Protocol protocol_;
  worker::LocalSlots slots_;
  Watch watch_;
  filter::testing::Suite suite_;
  std::unique_ptr<filter::testing::SessionBed> bed_;
  Compiler compiler_;
  std::vector<Choice> chosen_;
  filter::testing::Bed::Chain chain_;
  std::vector<Response> responses_;
  Changes changes_ = Changes::kNever;
};

}  // namespace

std::string runSeed(uint64_t seed) {
  return Seed(seed).run();
}

}  // namespace sluice::chains
