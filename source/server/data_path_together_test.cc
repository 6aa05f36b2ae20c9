// The data path from socket to socket: what upstream filters, slow tries, redirects and copies of a request are to each
// other.
#include "source/filter/context.h"
#include "source/server/test_retry_path.h"
#include "source/upstream/pool/test_h2_host.h"
#include "test/support/filter/harness.h"

namespace sluice::server {
namespace {

namespace h2 = http::h2;
using filter::Chunk;
using filter::Context;
using filter::HookResult;
using filter::Next;
using filter::Pause;
using filter::Reply;
using filter::testing::Script;
using Filters = std::shared_ptr<const filter::ChainConfig>;

std::string redirectTo(std::string_view location) {
  return "HTTP/1.1 302 Moved\r\nlocation: " + std::string(location) + "\r\ncontent-length: 0\r\n\r\n";
}

// Two hosts that take turns. A test turns on what it needs.
struct TogetherPath : RetryPath {
  TogetherPath() : RetryPath("5xx,reset", 2) {
    stats.internal_redirect_succeeded = registry.counter("followed");
    stats.internal_redirect_failed = registry.counter("passed_on");
    settings->access_logs.push_back(said);
    script.hooks = 0x7f;
    publish();
    use();
  }
  ~TogetherPath() {
    loop.pass(60s);
    CHECK(mirrors.size() == 0);
    clusters.remove(1);
  }

  Filters filters() {
    return std::make_shared<const filter::ChainConfig>(filter::testing::entriesOf({filter::testing::scripted(script)}));
  }
  // Of the hosts' cluster.
  void filter() {
    config->http_filters = filters();
    publish();
  }
  // The filter says that it was there.
  void markHeads() {
    script.request_headers = [](http::RequestHeaders& headers, Context&) -> HookResult {
      headers.append("x-passed", "request");
      return Next{};
    };
    script.stream_end = [this](Context&) { ++ends; };
  }
  void hedge() {
    hedges = true;
    limitTries(1s, 10s);
  }
  void followRedirects() { redirects = std::make_shared<route::InternalRedirectPolicy>(); }
  // To cluster "m".
  void copy(Filters filters_of_copies = nullptr) {
    upstream::cluster::Assignment assignment;
    assignment.localities.emplace_back().endpoints.emplace_back().address = other.address;
    auto its = std::make_shared<upstream::cluster::ClusterConfig>(*config);
    its->name = "m";
    its->http_filters = std::move(filters_of_copies);
    auto published = std::make_shared<upstream::PublishedCluster>();
    published->id = names.idOf("m");
    published->config = its;
    published->breakers = std::make_shared<upstream::cluster::Breakers>(thresholds);
    published->hosts = upstream::lb::LbPolicy::prepare(
        its->lb.policy.get(), upstream::cluster::HostSet::build(assignment, its->lb.hosts, nullptr));
    clusters.set(published);
    copies = std::make_shared<const route::MirrorPolicies>(
        route::MirrorPolicies{{.cluster = published->id, .cluster_name = "m"}});
  }
  // What was turned on.
  void apply() {
    use();
    action.internal_redirects = redirects;
    action.mirrors = copies;
    route("/", action);
  }
  TestClient& send(std::string_view bytes) {
    TestClient& client = ask(bytes);
    loop.turn();
    return client;
  }
  // A request whose first try is slow, and whose second one has begun.
  TestClient& hedged(std::string_view bytes = get("/old")) {
    TestClient& client = send(bytes);
    CHECK(contains(seen(), "/old"));
    loop.pass(1s);
    backOff();
    CHECK(contains(seenBySecond(), "/old"));
    return client;
  }
  std::string copied(size_t peer = 0) {
    loop.turn();
    return other.peer(peer).take();
  }
  void answerCopy(size_t peer = 0) {
    other.peer(peer).send(kOk);
    loop.turn();
  }

  Script script{.name = "s"};
  int ends = 0;  // of the filter's streams
  TestUpstream other;
  std::shared_ptr<route::InternalRedirectPolicy> redirects;
  std::shared_ptr<const route::MirrorPolicies> copies;
  const std::shared_ptr<const RefusalLog> said =
      std::make_shared<RefusalLog>("%RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n");
};

// --- upstream filters and further attempts ---------------------------------------------------------------------------

TEST_CASE("each try of a request that hedges has filters of its own") {
  TogetherPath t;
  t.markHeads();
  t.filter();
  t.hedge();
  t.apply();
  TestClient& client = t.send(get("/old"));
  CHECK(contains(t.seen(), "x-passed: request\r\n"));
  t.loop.pass(1s);
  t.backOff();

  const std::string second = t.seenBySecond();

  CHECK(second.find("x-passed") == second.rfind("x-passed"));  // once
  CHECK(t.ends == 0);
  SECTION("of the slow one, which answers after all") {
    t.answer();
  }
  SECTION("of the other one") {
    t.answerBySecond();
  }
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.ends == 2);
  CHECK(t.log.at(0) == "/old 200 via_upstream -");
}

TEST_CASE("a filter that refuses a slow try says nothing of the request that another one answers") {
  TogetherPath t;
  std::vector<filter::ResumeToken> tokens;
  t.script.response_headers = [&](http::ResponseHeaders&, Context& context) -> HookResult {
    tokens.push_back(context.resumeToken());
    return Pause{};
  };
  t.filter();
  t.hedge();
  t.apply();
  TestClient& client = t.hedged();
  t.answer();
  t.answerBySecond();
  REQUIRE(tokens.size() == 2);
  CHECK(client.take() == "");

  tokens[0].reply(Reply{503, "", "no_room", {}, stream::ResponseFlag::kRateLimited});
  CHECK(client.take() == "");
  tokens[1].resume();
  t.loop.turn();

  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/old 200 via_upstream -");
  CHECK(t.said->line == "- -\n");
}

TEST_CASE("what a filter says of an attempt is gone with it where another one follows") {
  TogetherPath t;
  int asked = 0;
  std::string details;
  bool answers = GENERATE(true, false);  // or gives up
  t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    details += context.info().response_code_details;
    if (++asked > 1) return Next{};
    if (!answers) return Pause{};
    return Reply{503, "", context.arena().copy("no_room"), {}, stream::ResponseFlag::kRateLimited};
  };
  t.filter();
  t.apply();
  TestClient& client = t.send(get());
  t.backOff();

  t.answerBySecond();

  CHECK(bodyOf(client.take()) == "ok");
  CHECK(details == "");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
  CHECK(t.said->line == "- -\n");
}

TEST_CASE("why a filter gave the request up is told where nothing follows") {
  TogetherPath t;
  t.policy->on = 0;
  t.script.request_headers = [](http::RequestHeaders&, Context&) -> HookResult { return Pause{}; };
  t.filter();
  t.apply();
  TestClient& client = t.send(get());

  CHECK(contains(client.take(), "HTTP/1.1 503 "));
  CHECK(contains(t.said->line, "filter_token_dropped"));
}

TEST_CASE("an upstream filter answers while the body is on its way") {
  TogetherPath t;
  t.policy->on = 0;
  int pieces = 0;
  t.script.request_data = [&](Chunk&, Context&) -> HookResult {
    if (++pieces < 2) return Next{};
    return Reply{403, "no", "second_piece", {}, stream::ResponseFlag::kUnauthorizedExternalService};
  };
  t.filter();
  t.apply();
  SECTION("of a client of HTTP/1") {
    TestClient& client = t.send(request("POST", "/", "content-length: 9\r\n", "abc"));
    CHECK(t.seen().ends_with("abc"));
    client.send("def");
    t.loop.turn();
    CHECK(bodyOf(client.take()) == "no");
    CHECK(t.host.peer(0).isClosed());
    client.send("ghi");
    t.loop.turn();
    CHECK(pieces == 2);
  }
  SECTION("of a client of HTTP/2, whose connection goes on") {
    h2::Deflater deflater;
    h2::FrameReader reader;
    const auto head = [&](uint32_t stream, const std::string& method, uint8_t flags) {
      return h2::frame(h2::kHeaders, h2::kEndHeaders | flags, stream,
                       deflater.block({{":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}}));
    };
    TestClient& client = t.send(h2::preface() + head(1, "POST", 0) + h2::data(1, "abc"));
    CHECK(contains(t.seen(), "abc"));
    client.send(h2::data(1, "def"));
    t.loop.turn();
    CHECK(contains(h2::joined(reader.read(client.take())), ":status=403"));
    client.send(h2::data(1, "ghi"));
    client.send(head(3, "GET", h2::kEndStream));
    t.loop.turn();
    CHECK(pieces == 2);
    t.answerBySecond();
    CHECK(contains(h2::joined(reader.read(client.take())), ":status=200"));
  }
  CHECK(t.log.at(0) == "/ 403 second_piece UAEX");
}

TEST_CASE("a request that has not left its filters yet is lost with no connection, whatever its method") {
  TogetherPath t;
  t.policy->on = 0;
  t.apply();
  std::vector<filter::ResumeToken> tokens;
  t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    tokens.push_back(context.resumeToken());
    return Pause{};
  };
  const bool http2 = GENERATE(false, true);
  if (http2) t.config->http.protocol = upstream::cluster::UpstreamProtocol::kHttp2;
  t.filter();
  TestClient& client = t.send(request("POST", "/", "content-length: 6\r\n", "abc"));
  upstream::pool::H2Host gone(t.loop, t.host), next(t.loop, t.host, 1);
  SECTION("that ends") {
    t.host.peer(0).close();
    client.send("def");
    t.loop.turn();
  }
  SECTION("that takes no request any more") {
    if (!http2) return;
    gone.send(h2::settings() + h2::goaway(0, 0));
    tokens.at(0).resume();
    client.send("def");
    t.loop.turn();
  }
  REQUIRE(tokens.size() == 2);
  CHECK(t.host.accept() == 2);
  if (http2) next.send(h2::settings());
  tokens[1].resume();
  const std::string seen = http2 ? next.seen() : t.seen(1);
  INFO(seen);
  CHECK(contains(seen, http2 ? "DATA 1 ES abcdef" : "\r\n\r\nabcdef"));
  http2 ? next.send(next.ok(1)) : t.answer(kOk, 1);
  CHECK(contains(client.take(), "HTTP/1.1 200 "));
}

// Gives what it is told to.
class PacedBody : public filter::ReplyBody {
 public:
  explicit PacedBody(PacedBody*& self) { self = this; }
  Read read(size_t, std::string& piece) override {
    piece = std::exchange(next, "");
    return ended ? Read::kEnd : Read::kLater;
  }
  void give(std::string bytes, bool end) {
    next = std::move(bytes);
    ended = end;
    ready();
  }
  std::string next = "a";
  bool ended = false;
};

TEST_CASE("an answer that a filter streams has no need of the host's connection") {
  TogetherPath t;
  t.policy->on = 0;
  PacedBody* body = nullptr;
  t.script.request_headers = [&](http::RequestHeaders& headers, Context&) -> HookResult {
    if (headers.path != "/old") return Next{};
    Reply reply{200, "", "streamed"};
    reply.headers.emplace_back("content-length", "2");
    reply.stream = std::make_unique<PacedBody>(body);
    return reply;
  };
  t.hosts({t.host.address});
  t.filter();
  t.apply();
  TestClient& client = t.send(get("/old"));
  CHECK(bodyOf(client.take()) == "a");
  SECTION("which serves others meanwhile") {
    TestClient& other = t.send(get("/other"));
    CHECK(t.seen().starts_with("GET /other "));
    t.answer();
    CHECK(bodyOf(other.take()) == "ok");
  }
  SECTION("which may end") {
    t.host.peer(0).close();
    t.loop.turn();
  }
  REQUIRE_FALSE(client.ended);
  body->give("b", true);
  t.loop.turn();
  CHECK(client.take() == "b");
  CHECK(contains(t.log.back(), "/old 200 streamed -"));
}

// --- redirects -------------------------------------------------------------------------------------------------------

TEST_CASE("a try that is redirected takes the request along, and the other one is given up") {
  TogetherPath t;
  t.hedge();
  t.followRedirects();
  const bool filtered = GENERATE(false, true);
  if (filtered) {
    t.markHeads();
    t.filter();
  }
  t.apply();
  TestClient& client = t.hedged(post("abc", "/old"));
  const bool slow_one = GENERATE(true, false);

  slow_one ? t.answer(redirectTo("http://x/new")) : t.answerBySecond(redirectTo("http://x/new"));

  CHECK((slow_one ? t.second : t.host).peer(0).isClosed());
  CHECK(client.take() == "");
  CHECK(t.places() == 0);
  CHECK(t.stat("followed") == 1);
  const std::string next = t.seen(slow_one ? 0 : 1);
  CHECK(next.starts_with("POST /new HTTP/1.1\r\n"));
  CHECK(next.ends_with("\r\n\r\nabc"));
  CHECK(next.find("x-passed") == next.rfind("x-passed"));
  // It may be slow again, and has tries of its own.
  t.loop.pass(1s);
  t.backOff();
  const size_t second = slow_one ? 1 : 0;
  CHECK(t.seenBySecond(second).starts_with("POST /new "));
  t.answerBySecond(kOk, second);
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log == std::vector<std::string>{"/old 302 internal_redirect -", "/new 200 via_upstream -"});
  CHECK(t.ends == (filtered ? 4 : 0));
}

TEST_CASE("each request that a redirect makes has copies of its own, which go on without it") {
  TogetherPath t;
  t.followRedirects();
  t.markHeads();
  t.copy(t.filters());
  t.apply();
  TestClient& client = t.send(post("abc", "/old"));
  const std::string copy = t.copied();
  CHECK(copy.starts_with("POST /old "));
  CHECK(copy.ends_with("\r\n\r\nabc"));

  t.answer(redirectTo("http://x/new"));

  CHECK_FALSE(t.other.peer(0).isClosed());
  CHECK(t.copied(1).starts_with("POST /new "));
  CHECK(t.seenBySecond().starts_with("POST /new "));
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.mirrors.size() == 2);
  t.answerCopy(0);
  t.answerCopy(1);
  CHECK(t.mirrors.size() == 0);
  CHECK(t.ends == 2);
}

TEST_CASE("a redirect by an upstream filter is followed only if the request is whole") {
  TogetherPath t;
  t.followRedirects();
  t.script.request_data = [](Chunk&, Context& context) -> HookResult {
    if (context.request().path != "/old") return Next{};
    Reply redirect{302, "", "moved"};
    redirect.headers.emplace_back("location", "http://x/new");
    return redirect;
  };
  t.filter();
  t.apply();
  SECTION("it is") {
    TestClient& client = t.send(post("abc", "/old"));
    const std::string next = t.seenBySecond();
    CHECK(next.starts_with("POST /new "));
    CHECK(next.ends_with("\r\n\r\nabc"));
    t.answerBySecond();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("it is not") {
    TestClient& client = t.send(request("POST", "/old", "content-length: 6\r\n", "abc"));
    CHECK(contains(client.take(), "location: http://x/new\r\n"));
    CHECK(t.stat("passed_on") == 1);
  }
}

TEST_CASE("a client of HTTP/2 may reset its stream wherever a redirect has led it") {
  TogetherPath t;
  t.followRedirects();
  t.apply();
  std::vector<filter::ResumeToken> tokens;
  Script holding{.name = "h"};
  holding.request_headers = [&](http::RequestHeaders& headers, Context& context) -> HookResult {
    if (headers.path != "/new") return Next{};
    tokens.push_back(context.resumeToken());
    return Pause{};
  };
  const int when = GENERATE(0, 1, 2, 3);
  if (when == 1)
    t.settings->chain = filter::fixedChain(filter::testing::entriesOf({filter::testing::scripted(holding)}));
  h2::Deflater deflater;
  h2::FrameReader reader;
  const auto head = [&](uint32_t stream, const std::string& path) {
    return h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, stream,
                     deflater.block({{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}}));
  };
  TestClient& client = t.send(h2::preface() + head(1, "/old"));
  t.seen();
  t.host.peer(0).send(redirectTo("http://x/new"));
  if (when != 0) t.loop.turn();

  client.send(h2::rst(1, 8));
  t.loop.turn();

  if (when == 1) {
    REQUIRE(tokens.size() == 1);
    CHECK_FALSE(tokens[0]);
  }
  CHECK(contains(t.log.back(), "http2.remote_reset"));
  CHECK(t.stat("downstream_rq_active") == 0);
  reader.read(client.take());
  client.send(head(3, "/next"));
  t.loop.turn();
  CHECK(t.open() == 1);
  for (TestUpstream* upstream : {&t.host, &t.second}) {
    for (size_t i = 0; i < upstream->accept(); ++i) {
      if (contains(upstream->peer(i).take(), "GET /next ")) upstream->peer(i).send(kOk);
    }
  }
  t.loop.turn();
  CHECK(contains(h2::joined(reader.read(client.take())), ":status=200"));
}

// --- copies ----------------------------------------------------------------------------------------------------------

TEST_CASE("a copy that its filters or its host do not take is dropped as one without filters is") {
  TogetherPath t;
  t.policy->on = 0;
  t.limit = 200'000;
  filter::ResumeToken token;
  const bool waits = GENERATE(true, false);  // in its filter, or else for its host
  if (waits) {
    t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
      token = context.resumeToken();
      return Pause{};
    };
  }
  t.copy(t.filters());
  t.apply();
  const std::string bytes = post(std::string(2'000'000, 'x'));
  TestClient& client = t.send(bytes.substr(0, 100));
  std::string seen = t.seen();
  REQUIRE(t.mirrors.size() == 1);
  REQUIRE(t.other.accept() == 1);
  size_t sent = 0;  // when the copy was dropped
  for (size_t turns = 0; turns < 1000 && seen.size() < bytes.size(); ++turns) {
    if (client.sent < bytes.size()) client.send(std::string_view(bytes).substr(client.sent));
    seen += t.seen();
    if (sent == 0 && t.mirrors.size() == 0) sent = client.sent;
  }
  CAPTURE(sent);
  CHECK(sent > 0);
  CHECK_FALSE(token);
  CHECK(t.stat("abandoned") == 1);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

}  // namespace
}  // namespace sluice::server
