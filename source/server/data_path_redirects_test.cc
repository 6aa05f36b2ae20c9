// The data path from socket to socket: redirects that are followed here.
#include <functional>

#include "source/filter/context.h"
#include "source/server/test_data_path.h"
#include "source/upstream/pool/test_h2_host.h"

namespace sluice::server {
namespace {

std::string redirectTo(std::string_view location, int status = 302, std::string_view more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nlocation: " + std::string(location) + "\r\n" +
         std::string(more) + "content-length: 0\r\n\r\n";
}

// Accepts what the test says.
class Judge : public route::RedirectPredicate {
 public:
  bool accepts(const route::RedirectStep& step) const override { return !judge || judge(step); }
  std::function<bool(const route::RedirectStep&)> judge;
};

// How many of the filters there were, and how many of their streams are over.
struct Filtered {
  int* requests;
  int* ends;
};
class CountingFilter : public filter::HttpFilter {
 public:
  explicit CountingFilter(const Filtered& counts) : counts_(counts) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context&) override {
    ++*counts_.requests;
    return filter::Next{};
  }
  void onStreamEnd(filter::Context&) override { ++*counts_.ends; }

 private:
  const Filtered& counts_;
};

// Holds each request until the test lets it go.
using Tokens = std::vector<filter::ResumeToken>;
class HoldingFilter : public filter::HttpFilter {
 public:
  explicit HoldingFilter(Tokens* const& tokens) : tokens_(*tokens) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context& context) override {
    tokens_.push_back(context.resumeToken());
    return filter::Pause{};
  }

 private:
  Tokens& tokens_;
};

// The client asks host "x". Redirects may lead to routes of "x" and "other.example".
struct RedirectPath : DataPath {
  RedirectPath() {
    for (const auto& [name, counter] : std::initializer_list<std::pair<const char*, observability::Counter*>>{
             {"followed", &stats.internal_redirect_succeeded},
             {"passed_on", &stats.internal_redirect_failed},
             {"abandoned", &stats.retry_or_shadow_abandoned},
             {"tx_reset", &stats.rq_tx_reset},
             {"rq_3xx", &stats.rq_3xx},
             {"bad_location", &settings->stats.redirect_bad_location},
             {"unsafe_scheme", &settings->stats.redirect_unsafe_scheme},
             {"too_many", &settings->stats.redirect_too_many},
             {"no_route", &settings->stats.redirect_no_route},
             {"predicate", &settings->stats.redirect_predicate},
             {"downstream_rq", &settings->stats.rq_total},
             {"downstream_completed", &settings->stats.rq_completed},
             {"downstream_2xx", &settings->stats.rq_2xx},
             {"downstream_3xx", &settings->stats.rq_3xx}}) {
      *counter = registry.counter(name);
    }
    settings->stream_idle_timeout = 0s;
    settings->normalize_path = true;
    hosts({host.address});
    policy->predicates.push_back(judge);
    use();
  }
  // The policy, and what a test changed of it or the rest.
  void use() {
    route::TableSpec table;
    route::VirtualHostSpec& hosts = table.virtual_hosts.emplace_back();
    hosts.name = "v";
    hosts.domains = {"x", "other.example"};
    hosts.routes = {named("api", "/api", followed()), named("gone", "/gone", route::DirectResponseSpec{410, "gone"}),
                    named("plain", "/plain", forward("c")),
                    named("posts", "/posts", route::DirectResponseSpec{409, "a POST"}), named("all", "/", followed())};
    match::HeaderMatcher& method = hosts.routes[3].conditions.headers.emplace_back();
    method.setName(":method");
    method.kind = match::HeaderMatcher::Kind::kString;
    method.string.text = "POST";
    tables.set(0, *route::Table::build(std::move(table)));
  }
  template <typename Action>
  static route::RouteSpec named(const std::string& name, const std::string& prefix, Action action) {
    route::RouteSpec spec;
    spec.name = name;
    spec.path = prefix;
    spec.action = std::move(action);
    return spec;
  }
  route::ForwardSpec followed() {
    route::ForwardSpec action = forward("c");
    action.internal_redirects = policy;
    action.timeout = timeout;
    action.request_buffer_limit = limit;
    action.max_stream_duration = longest;
    return action;
  }
  // The client gets the answer of the host as it came.
  void checkPassedOn(TestClient& client, std::string_view location, const char* why) {
    INFO(location);
    client.send(get());
    answer(redirectTo(location));
    const std::string got = client.take();
    CHECK(got.starts_with("HTTP/1.1 302 "));
    CHECK(contains(got, "location: " + std::string(location) + "\r\n"));
    CHECK(stat(why) == 1);
    CHECK(stat("passed_on") == 1);
    CHECK(stat("followed") == 0);
    CHECK(log.back() == "/ 302 via_upstream -");
  }

  std::shared_ptr<route::InternalRedirectPolicy> policy = std::make_shared<route::InternalRedirectPolicy>();
  std::shared_ptr<Judge> judge = std::make_shared<Judge>();
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<uint32_t> limit;
  std::optional<route::MaxStreamDuration> longest;
};

TEST_CASE("a redirect is followed here: the client gets what is at its location") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(request("GET", "/old?x=1", "authorization: secret\r\n"));
  CHECK(t.seen().starts_with("GET /old?x=1 HTTP/1.1\r\n"));

  t.answer(redirectTo("http://other.example/new?a=b#part"));

  CHECK(client.take() == "");
  const std::string second = t.seen();
  CHECK(second.starts_with("GET /new?a=b HTTP/1.1\r\nhost: other.example\r\n"));
  CHECK(contains(second, "x-envoy-original-url: http://x/old?x=1\r\n"));
  CHECK(contains(second, "authorization: secret\r\n"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("followed") == 1);
  CHECK(t.stat("passed_on") == 0);
}

TEST_CASE("a request that a redirect made has the scheme of its host's transport, too, where that is wanted") {
  RedirectPath t;
  t.config->http.absolute_target = true;
  t.settings->match_upstream_scheme = true;
  t.policy->cross_scheme = true;
  t.use();
  TestClient& client = t.connect();
  client.send(get("/old"));
  t.answer(redirectTo("https://other.example/new"));

  CHECK(t.seen().starts_with("GET http://other.example/new HTTP/1.1\r\n"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("each request that a redirect made has an entry in the log; the client is counted once") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(get("/old"));
  t.answer(redirectTo("http://x/new"));
  t.answer();

  CHECK(bodyOf(client.take()) == "ok");
  REQUIRE(t.log.size() == 2);
  CHECK(t.log[0] == "/old 302 internal_redirect -");
  CHECK(t.log[1] == "/new 200 via_upstream -");
  CHECK(t.stat("downstream_rq") == 1);
  CHECK(t.stat("downstream_completed") == 1);
  CHECK(t.stat("downstream_2xx") == 1);
  CHECK(t.stat("downstream_3xx") == 0);
  CHECK(t.stat("rq_3xx") == 1);
}

TEST_CASE("the filters see the request again, and each of their streams ends once") {
  RedirectPath t;
  int requests = 0, ends = 0;
  t.settings->chain = filter::fixedChain(
      {{"count", std::make_shared<filter::Factory<CountingFilter, Filtered>>(Filtered{&requests, &ends})}});
  TestClient& client = t.connect();
  client.send(get("/old"));
  t.answer(redirectTo("http://x/new"));
  CHECK(requests == 2);
  CHECK(ends == 1);

  t.answer();

  CHECK(bodyOf(client.take()) == "ok");
  CHECK(ends == 2);
}

TEST_CASE("a filter may hold the request each time") {
  Tokens tokens;
  RedirectPath t;
  t.settings->chain =
      filter::fixedChain({{"hold", std::make_shared<filter::Factory<HoldingFilter, Tokens*>>(&tokens)}});
  TestClient& client = t.connect();
  client.send(post("abc", "/old"));
  t.loop.turn();
  tokens.at(0).resume();
  t.answer(redirectTo("http://x/new"));
  REQUIRE(tokens.size() == 2);
  CHECK_FALSE(tokens[0]);
  CHECK(t.seen() == "");
  SECTION("and let it go") {
    tokens[1].resume();
    CHECK(t.seen().ends_with("\r\n\r\nabc"));
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("and the client does not wait") {
    client.close();
    t.loop.turn();
    CHECK_FALSE(tokens[1]);
    CHECK(t.log.size() == 2);
  }
  SECTION("and answer it") {
    tokens[1].reply(filter::Reply{403, "no", "no"});
    t.loop.turn();
    CHECK(bodyOf(client.take()) == "no");
    CHECK(t.log.back() == "/new 403 no -");
  }
}

TEST_CASE("a location that is not absolute, or not one for a client to name, is passed on") {
  for (const char* location :
       {"/new", "new", "//x/new", "ftp://x/new", "http://user@x/new", "http://x:y/", "http://"}) {
    RedirectPath t;
    t.checkPassedOn(t.connect(), location, "bad_location");
  }
}

TEST_CASE("a location is brought into the form that requests of clients have") {
  RedirectPath t;
  SECTION("one that climbs is passed on") {
    t.checkPassedOn(t.connect(), "http://x/a/../../b", "bad_location");
  }
  SECTION("what is left of another takes its route") {
    TestClient& client = t.connect();
    client.send(get());
    t.answer(redirectTo("http://x/api/%2e%2e/gone"));
    CHECK(bodyOf(client.take()) == "gone");
    CHECK(t.log.back() == "/gone 410 direct_response -");
  }
  SECTION("an escaped slash is refused as a client's is") {
    t.settings->escaped_slashes = session::EscapedSlashes::kReject;
    t.checkPassedOn(t.connect(), "http://x/a%2fb", "bad_location");
  }
}

TEST_CASE("what no route takes goes nowhere") {
  RedirectPath t;
  t.checkPassedOn(t.connect(), "http://169.254.169.254/latest", "no_route");
}

class Guard : public filter::ChainGuard {
 public:
  bool misdirected(std::string_view host, const void*) const override { return host == "other.example"; }
};

TEST_CASE("a host that another filter chain serves is left to the client, as that chain may ask more of it") {
  RedirectPath t;
  net::SocketPair pair = net::unixPair();
  filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours), 1);
  accepted.server_name = "x";
  accepted.guard = std::make_shared<Guard>();
  session::Connection::start(t.sessions, t.settings, std::move(accepted), t.connections,
                             {http::h1::makeServerCodec, http::h2::makeServerCodec});
  TestClient client(std::move(pair.peers));

  t.checkPassedOn(client, "http://other.example/new", "no_route");
}

TEST_CASE("the scheme stays what it is unless the route lets it change") {
  RedirectPath t;
  TestClient& client = t.connect();
  SECTION("it does not") {
    t.checkPassedOn(client, "https://x/new", "unsafe_scheme");
  }
  SECTION("it does") {
    t.policy->cross_scheme = true;
    client.send(get());
    t.answer(redirectTo("https://x/new"));
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
}

TEST_CASE("no more redirects are followed than the route allows") {
  RedirectPath t;
  t.policy->max_redirects = 2;
  TestClient& client = t.connect();
  client.send(get("/1"));
  t.answer(redirectTo("http://x/2"));
  t.answer(redirectTo("http://x/3"));
  CHECK(client.take() == "");

  t.answer(redirectTo("http://x/4"));

  CHECK(contains(client.take(), "location: http://x/4\r\n"));
  CHECK(t.stat("too_many") == 1);
  CHECK(t.stat("followed") == 2);
  CHECK(t.log ==
        std::vector<std::string>{"/1 302 internal_redirect -", "/2 302 internal_redirect -", "/3 302 via_upstream -"});
}

TEST_CASE("a predicate is told where the redirect leads, and whether it led there before") {
  RedirectPath t;
  t.policy->max_redirects = 10;
  std::vector<std::string> steps;
  t.judge->judge = [&](const route::RedirectStep& step) {
    steps.push_back(std::string(step.route) + (step.repeated ? " again" : "") + (step.to_https ? " https" : ""));
    return steps.size() < 4;
  };
  TestClient& client = t.connect();
  client.send(get("/"));
  t.answer(redirectTo("http://x/api"));
  t.answer(redirectTo("http://x/other"));
  t.answer(redirectTo("http://x/api/2"));
  CHECK(client.take() == "");

  t.answer(redirectTo("http://x/other/2"));

  CHECK(client.take().starts_with("HTTP/1.1 302 "));
  CHECK(steps == std::vector<std::string>{"api", "all", "api again", "all again"});
  CHECK(t.stat("predicate") == 1);
}

TEST_CASE("an answer that the policy does not name is the client's, and so is any where there is no policy") {
  RedirectPath t;
  TestClient& client = t.connect();
  const bool other_status = GENERATE(true, false);
  client.send(get(other_status ? "/" : "/plain"));
  t.answer(redirectTo("http://x/new", other_status ? 301 : 302));

  CHECK(contains(client.take(), "location: http://x/new\r\n"));
  CHECK(t.stat("passed_on") == 0);
}

TEST_CASE("a request goes on with its method and its body") {
  RedirectPath t;
  const uint16_t status = GENERATE(as<uint16_t>(), 301, 302, 307, 308);
  t.policy->status_codes = {status};
  TestClient& client = t.connect();
  client.send(post("abc", "/old"));
  CHECK(t.seen().ends_with("\r\n\r\nabc"));

  t.answer(redirectTo("http://x/new", status));

  const std::string second = t.seen();
  CHECK(second.starts_with("POST /new HTTP/1.1\r\n"));
  CHECK(contains(second, "content-length: 3\r\n"));
  CHECK(second.ends_with("\r\n\r\nabc"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("303 makes a request a GET without a body") {
  RedirectPath t;
  t.policy->status_codes = {303};
  TestClient& client = t.connect();
  SECTION("of POST") {
    client.send(post("abc", "/old"));
    t.answer(redirectTo("http://x/new", 303));
    const std::string second = t.seen();
    CHECK(second.starts_with("GET /new HTTP/1.1\r\n"));
    CHECK_FALSE(contains(second, "content-length"));
    CHECK(second.ends_with("\r\n\r\n"));
  }
  SECTION("of POST without a body") {
    client.send(request("POST", "/old", "content-length: 0\r\n"));
    t.answer(redirectTo("http://x/new", 303));
    CHECK(t.seen().starts_with("GET /new HTTP/1.1\r\n"));
  }
  SECTION("whose route it takes") {
    client.send(post("abc", "/old"));
    t.answer(redirectTo("http://x/posts", 303));
    CHECK(t.seen().starts_with("GET /posts HTTP/1.1\r\n"));
  }
  SECTION("but HEAD stays HEAD") {
    client.send(request("HEAD", "/old"));
    t.answer(redirectTo("http://x/new", 303));
    CHECK(t.seen().starts_with("HEAD /new HTTP/1.1\r\n"));
    t.host.peer(0).send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    t.loop.turn();
    CHECK(client.take().starts_with("HTTP/1.1 200 "));
    return;
  }
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a chunked body and its trailers go on, too") {
  RedirectPath t;
  t.config->http.enable_trailers = true;
  t.settings->codec_limits.enable_trailers = true;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "1\r\na\r\n0\r\nt: 1\r\n\r\n"));
  CHECK(contains(t.seen(), "t: 1\r\n"));

  t.answer(redirectTo("http://x/new"));

  const std::string second = t.seen();
  CHECK(second.starts_with("POST /new "));
  CHECK(second.ends_with("1\r\na\r\n0\r\nt: 1\r\n\r\n"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a body over the limit was not kept: its redirect is the client's") {
  RedirectPath t;
  t.limit = 4;
  t.policy->status_codes = {GENERATE(as<uint16_t>(), 302, 303)};
  t.use();
  TestClient& client = t.connect();
  const bool fits = GENERATE(true, false);
  client.send(post(fits ? "abcd" : "abcde"));
  t.answer(redirectTo("http://x/new", t.policy->status_codes[0]));

  CHECK(client.take().empty() == fits);
  CHECK(t.stat("passed_on") == (fits ? 0 : 1));
  CHECK(t.stat("abandoned") == (fits ? 0 : 1));
}

TEST_CASE("a redirect that does not wait for the request is the client's") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 6\r\n", "abc"));
  CHECK(t.seen().ends_with("abc"));

  t.answer(redirectTo("http://x/new"));

  CHECK(client.take().starts_with("HTTP/1.1 302 "));
  CHECK(t.stat("passed_on") == 1);
}

TEST_CASE("the redirect of an upgrade is the client's") {
  RedirectPath t;
  t.settings->codec_limits.allow_upgrades = true;
  t.settings->upgrades = {{"websocket"}};
  TestClient& client = t.connect();
  client.send(request("GET", "/", "connection: upgrade\r\nupgrade: websocket\r\n"));

  t.answer(redirectTo("http://x/new"));

  CHECK(client.take().starts_with("HTTP/1.1 302 "));
  CHECK(t.stat("passed_on") == 1);
}

TEST_CASE("headers that the policy names come from the redirect, or go off the request") {
  RedirectPath t;
  t.policy->headers_to_copy = {"x-token", "x-gone"};
  TestClient& client = t.connect();
  client.send(request("GET", "/", "x-token: old\r\nx-gone: 1\r\nx-stays: 1\r\n"));

  t.answer(redirectTo("http://x/new", 302, "x-token: a\r\nx-token: b\r\nx-other: 1\r\n"));

  const std::string second = t.seen();
  CHECK(contains(second, "x-token: a\r\nx-token: b\r\n"));
  CHECK_FALSE(contains(second, "x-token: old"));
  CHECK_FALSE(contains(second, "x-gone"));
  CHECK_FALSE(contains(second, "x-other"));
  CHECK(contains(second, "x-stays: 1\r\n"));
}

TEST_CASE("a redirect to what is answered here, with a body on its way") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(post("abc"));

  t.answer(redirectTo("http://x/gone"));

  CHECK(bodyOf(client.take()) == "gone");
  CHECK(bodyOf(t.exchange(client, get("/plain"))) == "ok");  // the connection goes on
}

TEST_CASE("the rest of a redirect is not waited for") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(get());

  t.answer("HTTP/1.1 302 Moved\r\nlocation: http://x/new\r\ncontent-length: 10\r\n\r\nabc");

  CHECK(t.host.peer(0).isClosed());
  CHECK(t.stat("tx_reset") == 1);
  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("the route's timeout counts through all redirects") {
  RedirectPath t;
  t.timeout = 1s;
  t.use();
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  t.loop.pass(600ms);
  t.answer(redirectTo("http://x/new"));
  CHECK(contains(t.seen(), "x-envoy-expected-rq-timeout-ms: 400\r\n"));
  t.loop.pass(399ms);
  CHECK(client.take() == "");

  t.loop.pass(2ms);

  CHECK(client.take().starts_with("HTTP/1.1 504 "));
}

TEST_CASE("what an internal caller asks for holds behind a redirect, and hosts are not told") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(request("GET", "/",
                      "x-envoy-upstream-rq-timeout-ms: 1000\r\nx-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 1\r\n"));
  t.seen();
  t.loop.pass(600ms);
  t.answer(redirectTo("http://x/new"));
  const std::string seen = t.seen();
  CHECK(contains(seen, "x-envoy-expected-rq-timeout-ms: 400\r\n"));
  CHECK_FALSE(contains(seen, "x-envoy-upstream-rq-timeout-ms"));
  CHECK_FALSE(contains(seen, "x-envoy-retry-on"));

  t.answer("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
  t.loop.pass(100ms);
  CHECK(t.seen().starts_with("GET /new HTTP/1.1\r\n"));
  CHECK(client.take() == "");
  t.loop.pass(301ms);

  CHECK(client.take().starts_with("HTTP/1.1 504 "));
}

TEST_CASE("grpc-timeout is told as what redirects have left of it") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(request("GET", "/", "grpc-timeout: 1S\r\n"));
  CHECK(contains(t.seen(), "grpc-timeout: 1S\r\n"));
  t.loop.pass(300ms);

  t.answer(redirectTo("http://x/new"));

  CHECK(contains(t.seen(), "grpc-timeout: 700m\r\n"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("the longest duration of a stream counts through all redirects") {
  RedirectPath t;
  t.settings->max_stream_duration = 1s;
  t.timeout = 0s;
  t.policy->max_redirects = 100;
  t.use();
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  for (int i = 0; i < 3; ++i) {
    t.loop.pass(300ms);
    t.answer(redirectTo("http://x/new"));
  }
  CHECK(client.take() == "");

  t.loop.pass(101ms);

  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(contains(t.log.back(), "max_duration_timeout"));
}

TEST_CASE("grpc-timeout as the longest duration of a stream counts through all redirects, and once") {
  RedirectPath t;
  t.longest = route::MaxStreamDuration{.grpc_header_max = std::chrono::milliseconds(0)};
  t.use();
  TestClient& client = t.connect();
  client.send(request("GET", "/", "grpc-timeout: 1S\r\n"));
  t.seen();
  t.loop.pass(300ms);
  t.answer(redirectTo("http://x/new"));
  CHECK(contains(t.seen(), "grpc-timeout: 700m\r\n"));

  t.loop.pass(699ms);
  CHECK(client.take() == "");
  t.loop.pass(2ms);

  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(contains(t.log.back(), "max_duration_timeout"));
}

TEST_CASE("a client that leaves takes the request along, wherever redirects have led it") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(get("/old"));
  t.answer(redirectTo("http://x/new"));
  CHECK(t.seen().starts_with("GET /new "));

  client.close();
  t.loop.turn();

  CHECK(t.host.peer(0).isClosed());
  CHECK(t.log.back() == "/new 0 downstream_remote_disconnect DC");
}

TEST_CASE("requests behind one that is redirected are answered behind it") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(get("/1") + get("/2"));
  t.answer(redirectTo("http://x/new"));
  CHECK(t.seen().starts_with("GET /new "));
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnew");
  CHECK(t.seen().starts_with("GET /2 "));
  t.answer();

  const std::string got = client.take();
  CHECK(contains(got, "\r\n\r\nnewHTTP/1.1 200 OK\r\n"));
  CHECK(got.ends_with("\r\n\r\nok"));
}

TEST_CASE("a new table holds for new requests, not for one that is redirected") {
  RedirectPath t;
  TestClient& client = t.connect();
  client.send(get("/old"));
  t.seen();
  t.route("/gone", route::DirectResponseSpec{500, "not this"});

  t.answer(redirectTo("http://x/gone"));

  CHECK(bodyOf(client.take()) == "gone");
}

// --- HTTP/2 ----------------------------------------------------------------------------------------------------------

namespace h2 = http::h2;

TEST_CASE("streams of HTTP/2 are redirected one by one") {
  RedirectPath t;
  TestClient& client = t.connect();
  h2::Deflater deflater;
  h2::FrameReader reader;
  const auto ask = [&](uint32_t stream, const std::string& path) {
    client.send(
        h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, stream,
                  deflater.block({{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}})));
    t.loop.turn();
  };
  client.send(h2::preface());
  ask(1, "/1");
  ask(3, "/3");
  CHECK(t.seen(0).starts_with("GET /1 "));
  CHECK(t.seen(1).starts_with("GET /3 "));

  t.answer(redirectTo("http://other.example/new"));
  CHECK(t.seen(0).starts_with("GET /new HTTP/1.1\r\nhost: other.example\r\n"));
  t.answer(kOk, 0);
  t.answer(redirectTo("/relative"), 1);

  std::string got;
  for (const std::string& line : reader.read(client.take())) got += line + "\n";
  INFO(got);
  CHECK(contains(got, ":status=200"));
  CHECK(contains(got, ":status=302"));
  CHECK(t.stat("followed") == 1);
  CHECK(t.stat("passed_on") == 1);
  CHECK(t.log ==
        std::vector<std::string>{"/1 302 internal_redirect -", "/new 200 via_upstream -", "/3 302 via_upstream -"});
}

}  // namespace
}  // namespace sluice::server
