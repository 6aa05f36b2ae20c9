// What a filter asks and does outside of its hooks, and what only some filters use.
#include "source/filter/context.h"

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "source/filter/delegating_filter.h"
#include "source/filter/test_chain.h"

namespace sluice::filter {
namespace {

using namespace std::chrono_literals;

struct Setting final : route::PerFilterConfig {
  explicit Setting(std::string text = {}, bool disabled = false) : PerFilterConfig(disabled), text(std::move(text)) {}
  const std::string text;
};

std::shared_ptr<const Setting> setting(std::string text) {
  return std::make_shared<const Setting>(std::move(text));
}

std::string textOf(const Context& context) {
  const auto* found = context.routeConfigAs<Setting>();
  return found == nullptr ? "none" : found->text;
}

// --- the filter's own place

TEST_CASE("a filter gets its own settings from a call-out's answer, whatever else runs") {
  Pair pair;
  std::unique_ptr<Call> call;
  ResumeToken token;
  std::string answered, at_end;
  pair.b.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    token = context.resumeToken();
    call = context.calls().send({.cluster = "c"}, [&](HttpCallResponse) {
      answered = textOf(context);
      token.resume();
    });
    return Pause{};
  };
  pair.b.hooks |= kStreamEnd;
  pair.b.stream_end = [&](Context& context) { at_end = textOf(context); };
  Harness& h = pair.make({setting("a's"), setting("b's")});

  h.request("GET", {}, true);
  h.calls.answer({.status = 200});
  h.respond(200, {}, true);

  CHECK(answered == "b's");
  CHECK(at_end == "b's");
}

TEST_CASE("a filter's settings are its own inside a hook that another one's emitted data runs") {
  Pair pair;
  std::string in_data, behind;
  pair.a.request_trailers = [&](http::Trailers&, Context& context) -> HookResult {
    context.emitRequestData("x");
    behind = textOf(context);
    return Next{};
  };
  pair.b.request_data = [&](Chunk&, Context& context) -> HookResult {
    in_data = textOf(context);
    return Next{};
  };
  Harness& h = pair.make({setting("a's"), setting("b's")});

  h.request("POST", {}, false);
  h.requestTrailers({});

  CHECK(in_data == "b's");
  CHECK(behind == "a's");
}

TEST_CASE("whether a head is all of its message is known for each direction outside of hooks, too") {
  Pair pair;
  Context* context = nullptr;
  pair.a.request_headers = [&](http::RequestHeaders&, Context& own) -> HookResult {
    context = &own;
    return Next{};
  };
  Harness& h = pair.make();

  h.request("GET", {}, true);
  CHECK(context->requestHeadersOnly());
  CHECK_FALSE(context->responseHeadersOnly());
  h.respond(200, {}, false);

  CHECK(context->requestHeadersOnly());
  CHECK_FALSE(context->responseHeadersOnly());
}

TEST_CASE("data is emitted in front of trailers that wait for an answer") {
  Pair pair;
  ResumeToken token;
  Context* context = nullptr;
  pair.b.response_trailers = [&](http::Trailers&, Context& own) -> HookResult {
    context = &own;
    token = own.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("GET", {}, true);
  h.respond(200, {}, false);
  h.responseTrailers({{"t", "1"}});
  context->emitResponseData("late");
  token.resume();

  CHECK(h.client.body == "late");
  CHECK(h.client.trailers.size() == 1);
  CHECK(countOf(h.log, "a.response data late") == 1);
}

// --- the world

TEST_CASE("a filter counts by n, moves gauges, records values and knows the time") {
  const observability::Counter counter{1};
  const observability::Gauge gauge{2};
  const observability::Histogram histogram{3};
  Pair pair;
  Stream::Time seen{};
  std::chrono::system_clock::time_point wall;
  pair.a.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    context.count(counter, 5);
    context.add(gauge, 3);
    context.sub(gauge);
    context.record(histogram, 7);
    seen = context.now();
    wall = context.wallNow();
    return Next{};
  };
  Harness& h = pair.make();
  h.stream.info().start = Stream::Time(10s);
  h.stream.info().start_time = std::chrono::system_clock::time_point(1000s);
  h.stream.time = Stream::Time(12s);

  h.request("GET", {}, true);

  CHECK(h.counted(counter) == 5);
  CHECK(h.stream.cells().read(gauge.id) == 2);
  CHECK(h.stream.cells().histogram(histogram.id)->sum == 7);
  CHECK(seen == Stream::Time(12s));
  CHECK(wall == std::chrono::system_clock::time_point(1002s));
}

// --- trailers that a filter adds

Fields added(http::Trailers& trailers) {
  trailers.add("added", "1");
  return testing::fieldsOf(trailers);
}

TEST_CASE("trailers that a filter adds go behind a message that its body or head ended") {
  for (const bool head_only : {false, true}) {
    Pair pair;
    const auto add_request = [](auto&, Context& context) -> HookResult {
      added(context.addRequestTrailers());
      return Next{};
    };
    const auto add_response = [](auto&, Context& context) -> HookResult {
      added(context.addResponseTrailers());
      return Next{};
    };
    if (head_only) {
      pair.a.request_headers = add_request;
      pair.b.response_headers = add_response;
    } else {
      pair.a.request_data = add_request;
      pair.b.response_data = add_response;
    }
    Harness& h = pair.make();

    h.request("POST", {{"content-length", "1"}}, head_only);
    if (!head_only) h.runner->requestData("x", true);
    h.respond(200, {{"content-length", "1"}}, head_only);
    if (!head_only) h.runner->responseData("y", true);

    CHECK(h.terminal.trailers == Fields{{"added", "1"}});
    CHECK(h.terminal.complete);
    CHECK(h.client.trailers == Fields{{"added", "1"}});
    CHECK(h.client.complete);
    CHECK(h.client.body == (head_only ? "" : "y"));
    // Its own trailers hook is not run, those behind it are.
    CHECK_FALSE(any(h.log, "a.request trailers"));
    CHECK(any(h.log, "b.request trailers"));
    CHECK_FALSE(any(h.log, "b.response trailers"));
    CHECK(any(h.log, "a.response trailers"));
    // Where the filter still has the head, the length that the trailers rule out is gone.
    CHECK(h.terminal.headers.empty() == head_only);
    CHECK(h.client.headers.empty() == head_only);
  }
}

TEST_CASE("trailers may be added while the end of the message waits for an answer") {
  const bool collected = GENERATE(false, true);
  Pair pair;
  ResumeToken token;
  Context* context = nullptr;
  const auto pause = [&](auto&, Context& own) -> HookResult {
    context = &own;
    token = own.resumeToken();
    return Pause{};
  };
  if (collected) {
    pair.a.request_headers = collecting(10);
    pair.a.request_body = pause;
  } else {
    pair.a.request_data = pause;
  }
  Harness& h = pair.make();

  post(h, {"x"}, true);
  added(context->addRequestTrailers());
  collected ? token.resumeWith("longer") : token.resume();

  CHECK(h.terminal.body == (collected ? "longer" : "x"));
  CHECK(h.terminal.trailers == Fields{{"added", "1"}});
  CHECK(h.terminal.headers.empty());
  CHECK(h.terminal.complete);
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
}

TEST_CASE("added trailers wait behind a body that a filter further on holds") {
  Pair pair;
  ResumeToken token;
  pair.a.request_data = [](Chunk&, Context& context) -> HookResult {
    added(context.addRequestTrailers());
    return Next{};
  };
  pair.b.request_data = pausing(token);
  Harness& h = pair.make();

  post(h, {"x"}, true);
  CHECK_FALSE(h.terminal.complete);
  token.resume();

  CHECK(h.terminal.body == "x");
  CHECK(h.terminal.trailers == Fields{{"added", "1"}});
}

TEST_CASE("trailers are added to those that the message has") {
  Pair pair;
  pair.a.request_headers = [](http::RequestHeaders&, Context& context) -> HookResult {
    added(context.addRequestTrailers());
    return Next{};
  };
  Harness& h = pair.make();

  post(h, {"x"}, false);
  h.requestTrailers({{"t", "1"}});

  CHECK(h.terminal.trailers == Fields{{"added", "1"}, {"t", "1"}});
}

// --- filters that are there or not

// Says that it was made.
struct Maker : HttpFilterFactory {
  explicit Maker(const Script& script) : script(script) {}
  uint8_t hooks() const override { return script.hooks; }
  HttpFilter* create(base::Arena& arena) const override {
    ++made;
    return scripted(script)->create(arena);
  }
  const Script& script;
  mutable int made = 0;
};

route::RouteSpec routeTo(std::string path, route::PerFilterSpec per_filter) {
  route::RouteSpec route;
  route.name = path;
  route.path = std::move(path);
  route.action = route::DirectResponseSpec{};
  route.per_filter = std::move(per_filter);
  return route;
}

std::shared_ptr<const route::Table> tableOf(std::vector<route::RouteSpec> routes, route::PerFilterSpec of_host = {},
                                            route::PerFilterSpec of_table = {}) {
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}, .routes = std::move(routes)};
  host.per_filter = std::move(of_host);
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  spec.per_filter = std::move(of_table);
  return *route::Table::build(std::move(spec));
}

TEST_CASE("a filter that the route switches off is not made") {
  Script script{.name = "f"};
  const auto factory = std::make_shared<Maker>(script);
  const auto off = std::make_shared<const route::FilterSwitch>(true);
  Harness h({{"f", factory, 0}}, tableOf({routeTo("/", {{0, off}})}));

  h.request("GET", {}, true);
  h.respond(200, {}, true);

  CHECK(factory->made == 0);
  CHECK(h.client.status == 200);
}

TEST_CASE("a filter that the chain has disabled is there for routes that have something for it") {
  Script script{.name = "f"};
  const auto factory = std::make_shared<Maker>(script);
  const std::vector<ChainConfig::Entry> chain{{"f", factory, 0, /*disabled=*/true}};
  const auto on = std::make_shared<const route::FilterSwitch>(false);
  route::PerFilterSpec spec;
  bool there = true;
  SECTION("nothing") {
    there = false;
  }
  SECTION("a switch") {
    spec = {{0, on}};
  }
  SECTION("settings") {
    spec = {{0, setting("s")}};
  }
  SECTION("settings that disable it") {
    spec = {{0, std::make_shared<const Setting>("s", true)}};
    there = false;
  }

  Harness h(chain, tableOf({routeTo("/", std::move(spec))}));

  CHECK(factory->made == (there ? 1 : 0));
}

TEST_CASE("a switch says whether a filter is there, and its settings are those of the level above") {
  Script script{.name = "f"};
  std::string seen;
  script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    seen = textOf(context);
    return Next{};
  };
  const auto on = std::make_shared<const route::FilterSwitch>(false);
  Harness h({{"f", scripted(script), 0, true}}, tableOf({routeTo("/", {{0, on}})}, {{0, setting("host's")}}));

  h.request("GET", {}, true);

  CHECK(seen == "host's");
}

TEST_CASE("the settings of all levels come from the least specific to the most") {
  Script script{.name = "f"};
  std::vector<std::string> seen;
  script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    for (const route::PerFilterConfig* config : context.routeConfigs()) {
      seen.push_back(dynamic_cast<const Setting&>(*config).text);
    }
    return Next{};
  };
  const std::vector<ChainConfig::Entry> chain{{"f", scripted(script), 1}};
  SECTION("at each") {
    Harness h(chain, tableOf({routeTo("/", {{1, setting("route")}})}, {{1, setting("host")}}, {{1, setting("table")}}));
    h.request("GET", {}, true);
    CHECK(seen == std::vector<std::string>{"table", "host", "route"});
  }
  SECTION("not where a level has only those of another filter") {
    Harness h(chain,
              tableOf({routeTo("/", {{1, setting("route")}})}, {{0, setting("other's")}}, {{1, setting("table")}}));
    h.request("GET", {}, true);
    CHECK(seen == std::vector<std::string>{"table", "route"});
  }
}

TEST_CASE("a filter reads what the configuration says of the route") {
  Script script{.name = "f"};
  bool found = false;
  script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    const stream::MetadataFields* metadata = context.routeMetadata();
    found = metadata != nullptr && stream::findMetadata(*metadata, "f", {"key"}) != nullptr;
    return Next{};
  };
  route::RouteSpec route = routeTo("/", {});
  route.metadata = stream::FixedMetadata({{"f", {stream::MetadataFields{{"key", {true}}}}}}, "identity");
  Harness h({{"f", scripted(script), 0}}, tableOf({std::move(route)}));

  h.request("GET", {}, true);

  CHECK(found);
}

// --- another route

// Filter a asks for the route anew, at `path`, when the test says so.
struct Rematch {
  Script a{.name = "a"}, b{.name = "b", .hooks = kRequestHeaders | kResponseHeaders};
  std::string seen = "not run";
  Context* context = nullptr;
  ResumeToken token;
  std::optional<Harness> h;

  Harness& make(bool b_disabled, route::PerFilterSpec first, route::PerFilterSpec second) {
    a.request_headers = [this](http::RequestHeaders&, Context& own) -> HookResult {
      context = &own;
      token = own.resumeToken();
      return Pause{};
    };
    b.request_headers = [this](http::RequestHeaders&, Context& own) -> HookResult {
      seen = textOf(own);
      return Next{};
    };
    h.emplace(std::vector<ChainConfig::Entry>{{"a", scripted(a), 0}, {"b", scripted(b), 1, b_disabled}},
              tableOf({routeTo("/second", std::move(second)), routeTo("/", std::move(first))}));
    a.log = b.log = &h->log;
    return *h;
  }
  bool go() {
    h->stream.request().path = "/second";
    const bool done = context->rematchRoute();
    token.resume();
    return done;
  }
};

TEST_CASE("a filter chooses the route anew after a call-out and those behind get its settings") {
  Rematch test;
  Harness& h = test.make(false, {{1, setting("first")}}, {{1, setting("second")}});

  h.request("GET", {}, true);
  CHECK(test.go());

  CHECK(test.seen == "second");
  CHECK(h.stream.route().route->name == "/second");
  CHECK(h.terminal.complete);
}

TEST_CASE("a filter that the first route has disabled runs for the new one, and the other way round") {
  const auto on = std::make_shared<const route::FilterSwitch>(false);
  const auto off = std::make_shared<const route::FilterSwitch>(true);
  const bool turns_on = GENERATE(false, true);
  Rematch test;
  Harness& h = turns_on ? test.make(true, {}, {{1, on}}) : test.make(false, {}, {{1, off}});

  h.request("GET", {}, true);
  CHECK(test.go());
  h.respond(200, {}, true);

  CHECK((test.seen != "not run") == turns_on);
  CHECK(any(h.log, "b.response headers") == turns_on);
  CHECK(h.client.complete);
}

TEST_CASE("it is too late for another route once the head has gone on") {
  Rematch test;
  Harness& h = test.make(false, {{1, setting("first")}}, {{1, setting("second")}});

  h.request("POST", {}, false);
  test.token.resume();
  h.stream.request().path = "/second";

  CHECK_FALSE(test.context->rematchRoute());
  CHECK(h.stream.route().route->name == "/");
}

TEST_CASE("the route is not chosen anew for a request that has its answer") {
  Rematch test;
  Harness& h = test.make(false, {}, {});

  h.request("GET", {}, true);
  h.runner->localReply(Reply{504, "late", "timeout"});

  CHECK_FALSE(test.context->rematchRoute());
}

// What filter a, which judges by the route, is told when b, behind it, chooses another one.
struct Judged {
  explicit Judged(route::PerFilterSpec first, route::PerFilterSpec second, bool always = false, bool refuses = false) {
    a.hooks |= kRouteChanged;
    a.route_changed = [this, refuses](Context& own) -> std::optional<Reply> {
      told.push_back(textOf(own));
      if (!refuses) return std::nullopt;
      return Reply{403, "not there", "judged"};
    };
    b.request_headers = [this](http::RequestHeaders& headers, Context& own) -> HookResult {
      headers.path = "/second";
      done = own.rematchRoute();
      return Next{};
    };
    c.hooks |= kRouteChanged;
    c.route_changed = a.route_changed;
    std::vector<ChainConfig::Entry> entries{{"a", scripted(a), 0}, {"b", scripted(b), 1}, {"c", scripted(c), 2}};
    entries[0].always = always;
    h.emplace(std::move(entries), tableOf({routeTo("/second", std::move(second)), routeTo("/", std::move(first))}));
    a.log = &h->log;
    h->request("GET", {}, true);
  }

  Script a{.name = "a"}, b{.name = "b"}, c{.name = "c"};
  std::vector<std::string> told;
  bool done = false;
  std::optional<Harness> h;
};

TEST_CASE("filters in front of one that chooses another route are told, those behind are not") {
  const Judged test({{0, setting("first")}}, {{0, setting("second")}});

  CHECK(test.told == std::vector<std::string>{"second"});
  CHECK(test.done);
  CHECK(test.h->terminal.complete);
}

TEST_CASE("a filter in front may refuse another route") {
  const Judged test({}, {}, false, true);

  CHECK(test.h->client.status == 403);
  CHECK(test.h->client.body == "not there");
  CHECK_FALSE(test.done);
  CHECK(test.h->terminal.heads == 0);
}

TEST_CASE("a filter that judges is asked of a new route if that one has it, and has no other hook then") {
  const auto off = std::make_shared<const route::FilterSwitch>(true);
  const Judged absent_before({{0, off}}, {{0, setting("second")}}), absent_now({{0, setting("first")}}, {{0, off}});

  CHECK(absent_before.told == std::vector<std::string>{"second"});
  CHECK_FALSE(any(absent_before.h->log, "a.request headers"));
  CHECK(absent_now.told.empty());
}

TEST_CASE("no route switches a filter off that is always there") {
  const auto off = std::make_shared<const route::FilterSwitch>(true);
  const Judged test({{0, off}}, {{0, off}}, true);

  CHECK(any(test.h->log, "a.request headers"));
  CHECK(test.told.size() == 1);
}

// Is another filter, for all requests.
class Around final : public DelegatingFilter {
 public:
  explicit Around(const std::shared_ptr<const HttpFilterFactory>& inner) : inner_(*inner) {}

 private:
  const HttpFilterFactory* choose(Context&) override { return &inner_; }

  const HttpFilterFactory& inner_;
};

TEST_CASE("a filter that stands for one that judges passes the question on") {
  Script a{.name = "a"}, b{.name = "b"};
  a.hooks |= kRouteChanged;
  a.route_changed = [](Context&) -> std::optional<Reply> { return Reply{403, "", "judged"}; };
  b.request_headers = [](http::RequestHeaders&, Context& own) -> HookResult {
    own.rematchRoute();
    return Next{};
  };
  const auto around = std::make_shared<Factory<Around, std::shared_ptr<const HttpFilterFactory>>>(scripted(a));
  Harness h({around, scripted(b)});

  h.request("GET", {}, true);

  CHECK(h.client.status == 403);
}

TEST_CASE("a filter that stands for one that judges is asked of a route that has it, where the one before had not") {
  Script a{.name = "a"}, b{.name = "b"};
  a.hooks |= kRouteChanged;
  a.route_changed = [](Context&) -> std::optional<Reply> { return Reply{403, "", "judged"}; };
  b.request_headers = [](http::RequestHeaders& headers, Context& own) -> HookResult {
    headers.path = "/second";
    own.rematchRoute();
    return Next{};
  };
  const auto around = std::make_shared<Factory<Around, std::shared_ptr<const HttpFilterFactory>>>(scripted(a));
  const auto off = std::make_shared<const route::FilterSwitch>(true);
  Harness h({{"around", around, 0}, {"b", scripted(b), 1}},
            tableOf({routeTo("/second", {}), routeTo("/", {{0, off}})}));

  h.request("GET", {}, true);

  CHECK(h.client.status == 403);
}

TEST_CASE("filters that judge are told of the user's cluster behind the last filter") {
  const bool refuses = GENERATE(false, true);
  route::TableSpec table;
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  route::RouteSpec& of_all = host.routes.emplace_back();
  of_all.path = "/";
  route::ForwardSpec forward;
  using Key = route::StickySplit::Key;
  const Key key{Key::Source::kMetadata, std::string(stream::kIdentityMetadata), {"subject"}};
  forward.split = std::make_shared<const route::StickySplit>("r", std::vector{key}, std::nullopt);
  for (const char* name : {"first", "second"}) {
    route::WeightedClusterSpec& share = forward.weighted.emplace_back();
    share.weight = 1;
    share.per_filter = {{0, setting(name)}};
  }
  of_all.action = std::move(forward);
  std::set<std::string> asked, told;
  int times = 0;
  Script a{.name = "a"}, b{.name = "b"};
  a.hooks |= kRouteChanged;
  a.request_headers = [&](http::RequestHeaders&, Context& own) -> HookResult {
    asked.insert(textOf(own));
    return Next{};
  };
  a.route_changed = [&](Context& own) -> std::optional<Reply> {
    ++times;
    const bool is_other = !asked.contains(*told.insert(textOf(own)).first);
    if (!refuses || !is_other) return std::nullopt;
    return Reply{403, "", "judged"};
  };
  std::string user;
  b.request_headers = [&](http::RequestHeaders&, Context& own) -> HookResult {
    own.info().metadata().set(stream::kIdentityMetadata, "subject", {user});
    return Next{};
  };
  const std::shared_ptr<const route::Table> built = *route::Table::build(std::move(table));

  // Whoever they are drawn to without a user, some users are of the other share.
  int refused = 0;
  for (int i = 0; i < 32; ++i) {
    user = std::to_string(i);
    Harness h({{"a", scripted(a), 0}, {"b", scripted(b), 1}}, built);
    h.request("GET", {}, true);
    refused += h.client.status == 403;
  }

  CHECK(asked.size() == 1);
  CHECK(told.size() == 2);
  CHECK(times == 32);
  CHECK((refused > 0) == refuses);
  CHECK(refused < 32);
}

TEST_CASE("a filter chooses cluster and host in the route's stead") {
  Pair pair;
  pair.a.request_headers = [](http::RequestHeaders&, Context& context) -> HookResult {
    context.setCluster(std::string("green"));
    context.setUpstreamHost(std::string("10.0.0.1:80"), true);
    return Next{};
  };
  Harness& h = pair.make();

  CHECK(h.stream.upstreamChoice() == nullptr);
  h.request("GET", {}, true);

  REQUIRE(h.stream.upstreamChoice() != nullptr);
  CHECK(h.stream.upstreamChoice()->cluster == "green");
  CHECK(h.stream.upstreamChoice()->host == "10.0.0.1:80");
  CHECK(h.stream.upstreamChoice()->only_host);
}

TEST_CASE("filters share objects of their own types by name") {
  struct Verdict : stream::FilterState::Object {
    int score = 0;
  };
  Pair pair;
  int seen = 0;
  pair.a.request_headers = [](http::RequestHeaders&, Context& context) -> HookResult {
    auto verdict = std::make_unique<Verdict>();
    verdict->score = 7;
    context.info().filterState().set("verdict", std::move(verdict));
    return Next{};
  };
  pair.b.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    const stream::FilterState& state = context.info().filterState();
    CHECK(state.get<Verdict>("other") == nullptr);
    CHECK(state.get<stream::FilterState::Text>("verdict") == nullptr);
    seen = state.get<Verdict>("verdict")->score;
    return Next{};
  };
  Harness& h = pair.make();

  h.request("GET", {}, true);

  CHECK(seen == 7);
}

// --- hooks that a type has

struct OnlyData : HttpFilter {
  HookResult onResponseData(Chunk&, Context&) override { return Next{}; }
};
struct MoreThanData : OnlyData {
  HookResult onRequestHeaders(http::RequestHeaders&, Context&) override { return Next{}; }
  HookResult onRequestBody(Body&, Context&) override { return Next{}; }
  void onStreamEnd(Context&) override {}
};

TEST_CASE("the hooks of a filter are those that it or a base of it overrides") {
  STATIC_REQUIRE(hooksOf<HttpFilter>() == 0);
  STATIC_REQUIRE(hooksOf<OnlyData>() == kResponseData);
  STATIC_REQUIRE(hooksOf<MoreThanData>() == (kRequestHeaders | kResponseData | kStreamEnd));
  CHECK(Factory<OnlyData>().hooks() == kResponseData);
}

TEST_CASE("a chain of as many filters as there may be pauses at its last one") {
  Script script{.name = "f"};
  ResumeToken token;
  int runs = 0;
  script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    if (++runs < static_cast<int>(kMaxFilters)) return Next{};
    token = context.resumeToken();
    return Pause{};
  };
  Harness h(std::vector(kMaxFilters, scripted(script)));

  post(h, {"x"}, true);
  CHECK(h.terminal.heads == 0);
  token.resume();

  CHECK(h.terminal.body == "x");
  CHECK(h.terminal.complete);
}

}  // namespace
}  // namespace sluice::filter
