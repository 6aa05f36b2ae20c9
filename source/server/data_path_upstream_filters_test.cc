// The data path from socket to socket: filters between the router and the host.
#include "source/filter/context.h"
#include "source/server/test_data_path.h"
#include "source/upstream/attempt.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/test_filters.h"

namespace sluice::server {
namespace {

using filter::Body;
using filter::Chunk;
using filter::Collect;
using filter::Context;
using filter::HookResult;
using filter::Next;
using filter::Pause;
using filter::Reply;
using filter::testing::Script;
using filter::testing::scripted;

const std::string kBusy = "HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy";

std::shared_ptr<const filter::ChainConfig> chainOf(std::vector<std::shared_ptr<const filter::HttpFilterFactory>> all) {
  return std::make_shared<const filter::ChainConfig>(filter::testing::entriesOf(std::move(all)));
}

struct UpstreamPath : DataPath {
  UpstreamPath() {
    settings->stream_idle_timeout = 0s;
    settings->codec_limits.enable_trailers = true;
    config->http.enable_trailers = true;
    stats.rq_5xx = registry.counter("rq_5xx");
    stats.rq_4xx = registry.counter("rq_4xx");
    config->http_filters = chainOf({scripted(script)});
    publish();
  }
  // Another attempt for such answers and failures.
  void retryOn(std::string_view what) {
    const auto policy = std::make_shared<route::RetryPolicy>();
    policy->on = route::parseRetryOn(what);
    policy->num_retries = 2;
    action.retry_policy = policy;
    use();
  }
  void use() {
    route::RouteSpec spec;
    spec.path = "/";
    spec.action = action;
    spec.per_filter = per_filter;
    route::TableSpec table;
    route::VirtualHostSpec& everything = table.virtual_hosts.emplace_back();
    everything.name = "v";
    everything.domains = {"*"};
    everything.routes = {spec};
    tables.set(0, *route::Table::build(std::move(table)));
  }
  // The filter says that it was there, to whoever gets the head.
  void markHeads() {
    script.request_headers = [](http::RequestHeaders& headers, Context&) -> HookResult {
      headers.append("x-passed", "request");
      return Next{};
    };
    script.response_headers = [](http::ResponseHeaders& headers, Context&) -> HookResult {
      headers.append("x-passed", "response");
      return Next{};
    };
  }
  TestClient& send(std::string_view bytes) {
    TestClient& client = connect();
    client.send(bytes);
    loop.turn();
    return client;
  }

  Script script{.name = "s"};
  route::ForwardSpec action = forward("c");
  route::PerFilterSpec per_filter;
};

TEST_CASE("upstream filters change heads both ways") {
  UpstreamPath t;
  t.markHeads();
  TestClient& client = t.send(get());

  const std::string seen = t.seen();
  t.answer();

  CHECK(contains(seen, "x-passed: request\r\n"));
  const std::string got = client.take();
  CHECK(contains(got, "x-passed: response\r\n"));
  CHECK(bodyOf(got) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
}

TEST_CASE("an upstream filter is told of the host of its attempt, before the request goes there") {
  UpstreamPath t;
  std::string host;
  t.script.request_headers = [&host](http::RequestHeaders&, Context& context) -> HookResult {
    host = context.attemptHost();
    return Reply{403, "not there\n", "denied"};
  };

  TestClient& client = t.send(get());

  CHECK(host == t.host.address.toString());
  CHECK(contains(client.take(), "HTTP/1.1 403 "));
}

TEST_CASE("a retry has filters of its own and begins from the head as the router made it") {
  UpstreamPath t;
  t.markHeads();
  t.retryOn("5xx");
  TestClient& client = t.send(get());
  CHECK(contains(t.seen(), "x-passed: request\r\n"));

  t.answer(kBusy);
  t.loop.pass(200ms);

  CHECK(contains(t.seen(1), "x-passed: request\r\n"));  // once
  t.answer(kOk, 1);
  CHECK(contains(client.take(), "x-passed: response\r\n"));
}

TEST_CASE("what an upstream filter leaves as metadata outlives its attempt") {
  UpstreamPath t;
  int attempts = 0;
  std::string kept;
  t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    context.setMetadataText("f", "attempt " + std::to_string(++attempts), "was here");
    return Next{};
  };
  t.script.response_headers = [&](http::ResponseHeaders&, Context& context) -> HookResult {
    if (attempts < 2) return Next{};
    const auto* const first = context.info().metadata().find("f", {"attempt 1"});
    if (first != nullptr) kept = std::get<std::string>(first->value);
    return Next{};
  };
  t.retryOn("5xx");
  t.send(get());
  t.seen();
  t.answer(kBusy);
  t.loop.pass(200ms);
  t.seen(1);

  t.answer(kOk, 1);

  CHECK(attempts == 2);
  CHECK(kept == "was here");
}

TEST_CASE("a request that is repeated on a fresh connection passes the filters anew") {
  UpstreamPath t;
  t.markHeads();
  TestClient& client = t.connect();
  t.exchange(client, get());
  client.send(get("/again"));
  CHECK(contains(t.seen(), "GET /again"));

  t.host.peer(0).close();  // as if it had been too late for the request
  t.loop.turn();

  CHECK(contains(t.seen(1), "x-passed: request\r\n"));
  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("an answer of an upstream filter is the attempt's") {
  UpstreamPath t;
  int asked = 0;
  t.script.request_headers = [&](http::RequestHeaders&, Context&) -> HookResult {
    if (++asked > 1) return Next{};
    return Reply{503, "full\n", "no_room", {}, stream::ResponseFlag::kRateLimited};
  };
  SECTION("which the client gets") {
    TestClient& client = t.send(get());
    const std::string got = client.take();
    CHECK(contains(got, "HTTP/1.1 503 "));
    CHECK(bodyOf(got) == "full\n");
    CHECK(t.log.at(0) == "/ 503 no_room RL");
    CHECK(t.stat("rq_5xx") == 1);
    CHECK(t.seen() == "");
    // Nothing went out, so the connection is as good as new.
    client.send(get("/next"));
    CHECK(contains(t.seen(0), "GET /next"));
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("which a policy retries") {
    t.retryOn("5xx");
    TestClient& client = t.send(get());
    t.loop.pass(200ms);
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
    CHECK(t.stat("rq_retry") == 1);
  }
}

struct Heads : upstream::AttemptObserver {
  void onAttemptBegin(const upstream::Attempt&) override {}
  void onAttemptHead(const upstream::Attempt& attempt) override { seen.push_back(attempt.status()); }
  void onAttemptEnd(const upstream::Attempt&, const upstream::AttemptEnd& end) override { ends.push_back(end.kind); }
  std::vector<int> seen;
  std::vector<upstream::AttemptEnd::Kind> ends;
};

TEST_CASE("the host has no part in what is made on the way") {
  using Kind = upstream::AttemptEnd::Kind;
  UpstreamPath t;
  Heads heads;
  t.clusters.find(0)->observers().pushBack(heads);
  const auto errors = [&] {
    return t.clusters.find(0)->hostPtr(0)->stats().sum(upstream::cluster::HostStat::kRqError);
  };
  SECTION("instead of its answer") {
    t.script.response_headers = [](http::ResponseHeaders&, Context&) -> HookResult { return Reply{502, "", "bad"}; };
    TestClient& client = t.send(get());
    t.answer();
    CHECK(contains(client.take(), "HTTP/1.1 502 "));
  }
  SECTION("by a filter that forgets the request") {
    t.script.request_headers = [](http::RequestHeaders&, Context&) -> HookResult { return Pause{}; };
    TestClient& client = t.send(get());
    CHECK(contains(client.take(), "HTTP/1.1 503 "));
    CHECK(contains(t.log.at(0), "local_reset"));
  }
  CHECK(heads.seen.empty());
  CHECK(heads.ends == std::vector{Kind::kCancelled});
  CHECK(errors() == 0);
}

TEST_CASE("an upstream filter may wait") {
  UpstreamPath t;
  filter::ResumeToken token;
  t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    token = context.resumeToken();
    return Pause{};
  };
  TestClient& client = t.send(post("body"));
  CHECK(t.seen() == "");
  SECTION("and go on") {
    token.resume();
    CHECK(contains(t.seen(), "body"));
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("until the client has gone") {
    client.close();
    t.loop.turn();
    CHECK_FALSE(token);
    CHECK(t.seen() == "");
  }
  SECTION("longer than the request may take") {
    t.loop.pass(15s);
    CHECK(contains(client.take(), "HTTP/1.1 504 "));
    CHECK_FALSE(token);
  }
}

TEST_CASE("upstream filters change bodies and trailers, and see the head of the response all the while") {
  UpstreamPath t;
  uint16_t status = 0;
  t.script.response_data = [&](Chunk&, Context& context) -> HookResult {
    status = context.response().status;
    return Next{};
  };
  t.config->http_filters = chainOf({filter::testing::rewriter(), scripted(t.script)});
  TestClient& client =
      t.send(request("POST", "/", "transfer-encoding: chunked\r\n", "2\r\nhi\r\n0\r\nmark: mine\r\n\r\n"));

  const std::string seen = t.seen();
  CHECK(contains(seen, "\r\nHI\r\n"));
  CHECK(contains(seen, "mark: rewritten\r\n"));
  t.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\nmark: its\r\n\r\n");

  const std::string got = client.take();
  CHECK(contains(got, "\r\nYO\r\n"));
  CHECK(contains(got, "mark: rewritten\r\n"));
  CHECK(status == 200);
}

TEST_CASE("an upstream filter that collects gets bodies larger than the window both ways") {
  UpstreamPath t;
  const std::string large(300'000, 'x');
  const auto collect = [](auto&, Context&) -> HookResult { return Collect{400'000}; };
  size_t request_size = 0, response_size = 0;
  t.script.request_headers = collect;
  t.script.response_headers = collect;
  t.script.request_body = [&](Body& body, Context&) -> HookResult {
    request_size = body.bytes().size();
    return Next{};
  };
  t.script.response_body = [&](Body& body, Context&) -> HookResult {
    response_size = body.bytes().size();
    body.replace("short");
    return Next{};
  };
  TestClient& client = t.connect();
  const std::string bytes = post(large);
  std::string seen;
  for (size_t turns = 0; turns < 200 && seen.size() < bytes.size(); ++turns) {
    if (client.sent < bytes.size()) client.send(std::string_view(bytes).substr(client.sent));
    seen += t.host.accept() > 0 ? t.seen() : (t.loop.turn(), "");
  }
  CHECK(request_size == large.size());
  CHECK(contains(seen, large));

  const std::string answer = "HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + large;
  size_t sent = 0;
  for (size_t turns = 0; turns < 200 && response_size == 0; ++turns) {
    t.host.peer(0).send(std::string_view(answer).substr(sent, 16'384));
    sent += 16'384;
    if (sent > answer.size()) sent = answer.size();
    t.loop.turn();
  }
  CHECK(response_size == large.size());
  CHECK(bodyOf(client.take()) == "short");
}

TEST_CASE("a body that is too large for an upstream filter is answered 413, and the host gets nothing of it") {
  UpstreamPath t;
  t.script.request_headers = [](http::RequestHeaders&, Context&) -> HookResult { return Collect{3}; };
  TestClient& client = t.send(post("four"));
  CHECK(contains(client.take(), "HTTP/1.1 413 "));
  CHECK(t.log.at(0) == "/ 413 request_payload_too_large -");
  CHECK(t.seen() == "");
}

TEST_CASE("a host that breaks off while a filter holds its answer has failed the attempt") {
  UpstreamPath t;
  t.script.response_headers = [](http::ResponseHeaders&, Context&) -> HookResult { return Collect{1000}; };
  t.retryOn("reset");
  TestClient& client = t.send(get());
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha");
  CHECK(client.take() == "");

  t.host.peer(0).close();
  t.loop.turn();
  t.loop.pass(200ms);

  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("what a route says of a filter holds for upstream filters") {
  UpstreamPath t;
  t.markHeads();
  t.per_filter = {{0, std::make_shared<route::FilterSwitch>(true)}};
  t.use();
  TestClient& client = t.send(get());

  CHECK_FALSE(contains(t.seen(), "x-passed"));

  t.answer();
  CHECK_FALSE(contains(client.take(), "x-passed"));
}

TEST_CASE("the router's upstream filters are for clusters that have none") {
  UpstreamPath t;
  t.markHeads();
  const auto router = std::make_shared<router::RouterSettings>();
  Script of_router;
  of_router.request_headers = [](http::RequestHeaders& headers, Context&) -> HookResult {
    headers.append("x-passed", "router");
    return Next{};
  };
  router->upstream_http_filters = chainOf({scripted(of_router)});
  t.settings->terminal = router;
  const bool has_own = GENERATE(true, false);
  if (!has_own) t.config->http_filters = nullptr;
  TestClient& client = t.send(get());

  CHECK(contains(t.seen(), has_own ? "x-passed: request\r\n" : "x-passed: router\r\n"));

  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("filters share the facts of the stream, and know where it goes") {
  UpstreamPath t;
  std::string cluster;
  t.script.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    cluster = context.cluster();
    context.info().metadata().set("s", "key", {std::string("value")});
    context.setCluster("elsewhere");  // too late
    return Next{};
  };
  const stream::DynamicMetadata* metadata = nullptr;
  Script client_side;
  std::string seen_by_client_side;
  client_side.response_headers = [&](http::ResponseHeaders&, Context& context) -> HookResult {
    metadata = context.info().dynamic_metadata.get();
    const auto* value = metadata == nullptr ? nullptr : metadata->find("s", {"key"});
    if (value != nullptr) seen_by_client_side = std::get<std::string>(value->value);
    return Next{};
  };
  t.settings->chain = filter::fixedChain(filter::testing::entriesOf({scripted(client_side)}));
  TestClient& client = t.send(get());
  t.answer();

  CHECK(bodyOf(client.take()) == "ok");
  CHECK(cluster == "c");
  CHECK(seen_by_client_side == "value");
}

TEST_CASE("a tunnel goes through upstream filters, and either side may end first") {
  UpstreamPath t;
  t.settings->codec_limits.allow_upgrades = true;
  t.settings->upgrades.push_back({"websocket", true});
  std::string passed;
  const auto note = [&](Chunk& chunk, Context&) -> HookResult {
    passed += chunk.bytes();
    return Next{};
  };
  t.script.request_data = t.script.response_data = note;
  filter::ResumeToken token;
  const bool late = GENERATE(false, true);  // the end of the client's side waits in the filter
  if (late) {
    t.script.request_data = [&](Chunk& chunk, Context& context) -> HookResult {
      passed += chunk.bytes();
      if (!chunk.endStream()) return Next{};
      token = context.resumeToken();
      return Pause{};
    };
  }
  TestClient& client = t.send(request("GET", "/chat", "connection: upgrade\r\nupgrade: websocket\r\n"));
  t.answer("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  CHECK(contains(client.take(), "101"));

  client.send("ping");
  CHECK(t.seen() == "ping");
  t.host.peer(0).send("pong");
  t.loop.turn();
  CHECK(client.take() == "pong");
  CHECK(passed == "pingpong");

  t.host.peer(0).finish();
  t.loop.turn();
  client.send("last");
  CHECK(t.seen() == "last");
  client.finish();
  t.loop.turn();
  if (late) {
    CHECK(t.log.empty());
    token.resume();
    t.loop.turn();
  }
  CHECK(t.log.size() == 1);
  CHECK(t.stat("rq_active") == 0);
}

TEST_CASE("a copy of a request passes the filters of its own cluster, without the settings of routes") {
  UpstreamPath t;
  t.markHeads();
  TestUpstream other;
  upstream::cluster::Assignment assignment;
  assignment.localities.emplace_back().endpoints.emplace_back().address = other.address;
  auto published = std::make_shared<upstream::PublishedCluster>();
  t.names.idOf("c");
  published->id = t.names.idOf("m");
  published->config = std::make_shared<upstream::cluster::ClusterConfig>(*t.config);
  published->breakers = std::make_shared<upstream::cluster::Breakers>(t.thresholds);
  published->hosts = upstream::lb::LbPolicy::prepare(
      t.config->lb.policy.get(), upstream::cluster::HostSet::build(assignment, t.config->lb.hosts, nullptr));
  t.clusters.set(published);
  t.config->http_filters = nullptr;
  t.per_filter = {{0, std::make_shared<route::FilterSwitch>(true)}};
  t.action.mirrors = std::make_shared<const route::MirrorPolicies>(
      route::MirrorPolicies{{.cluster = published->id, .cluster_name = "m"}});
  t.use();
  TestClient& client = t.send(get());

  CHECK_FALSE(contains(t.seen(), "x-passed"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  client.close();  // the copy goes on alone
  t.loop.turn();
  CHECK(contains(other.peer(0).take(), "x-passed: request\r\n"));
  other.peer(0).send(kOk);
  t.loop.turn();
  CHECK(t.mirrors.size() == 0);
  t.clusters.remove(1);
}

}  // namespace
}  // namespace sluice::server
