// The data path from socket to socket: copies of requests for another cluster.
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

const std::string kBusy = "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n";

struct MirrorPath : DataPath {
  MirrorPath() {
    stats.retry_or_shadow_abandoned = registry.counter("abandoned");
    stats.rq_retry = registry.counter("rq_retry");
    settings->stream_idle_timeout = 0s;
    settings->codec_limits.enable_trailers = true;
    config->http.enable_trailers = true;
    publish();
    mirror_stats.rq_total = registry.counter("m_total");
    mirror_stats.rq_completed = registry.counter("m_completed");
    mirror_stats.rq_timeout = registry.counter("m_timeout");
    mirror_stats.rq_5xx = registry.counter("m_5xx");
    mirror_stats.rq_active = registry.gauge("m_active");
    mirror_stats.cx_none_healthy = registry.counter("m_none");
    mirrorAt({other.address});
    policies = {policy()};
    use();
  }
  ~MirrorPath() {
    loop.pass(60s);
    CHECK(mirrors.size() == 0);
    CHECK(stat("m_active") == 0);
    CHECK(mirror_breakers->used(Resource::kRequests, kPriority) == 0);
    clusters.remove(1);
  }

  // The other cluster, "m".
  void mirrorAt(const std::vector<net::Address>& addresses) {
    upstream::cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (const net::Address& address : addresses) locality.endpoints.emplace_back().address = address;
    auto its = std::make_shared<upstream::cluster::ClusterConfig>(*config);
    its->name = "m";
    auto published = std::make_shared<upstream::PublishedCluster>();
    published->id = names.idOf("m");
    published->config = its;
    published->breakers = mirror_breakers;
    published->stats = mirror_stats;
    published->hosts = upstream::lb::LbPolicy::prepare(
        its->lb.policy.get(), upstream::cluster::HostSet::build(assignment, its->lb.hosts, nullptr));
    clusters.set(published);
  }
  route::MirrorPolicy policy() {
    names.idOf("c");
    return {.cluster = names.idOf("m"), .cluster_name = "m"};
  }
  // The policies, and what a test changed of the action.
  void use() {
    route::ForwardSpec spec = forward("c");
    spec.mirrors = std::make_shared<const route::MirrorPolicies>(policies);
    spec.timeout = timeout;
    spec.request_buffer_limit = limit;
    spec.retry_policy = retry_policy;
    spec.upgrades = upgrades;
    route("/", spec);
  }
  std::string copied(size_t peer = 0) {
    loop.turn();
    return other.peer(peer).take();
  }
  void answerCopy(std::string_view bytes = kOk, size_t peer = 0) {
    copied(peer);
    other.peer(peer).send(bytes);
    loop.turn();
  }
  size_t copies() {
    loop.turn();
    return other.accept();
  }

  TestUpstream other;
  upstream::cluster::ClusterStats mirror_stats;
  std::shared_ptr<upstream::cluster::Breakers> mirror_breakers =
      std::make_shared<upstream::cluster::Breakers>(thresholds);
  route::MirrorPolicies policies;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<uint32_t> limit;
  std::shared_ptr<route::RetryPolicy> retry_policy;
  std::vector<route::UpgradeSpec> upgrades;
};

TEST_CASE("a request goes to the other cluster as well, whose answer nobody sees") {
  MirrorPath t;
  TestClient& client = t.connect();
  client.send(request("GET", "/a?b", "x-a: 1\r\n"));
  const std::string original = t.seen(), copy = t.copied();
  CHECK(contains(original, "host: x\r\n"));
  CHECK(copy.starts_with("GET /a?b HTTP/1.1\r\n"));
  CHECK(contains(copy, "host: x-shadow\r\n"));
  CHECK(contains(copy, "x-a: 1\r\n"));
  t.answerCopy("HTTP/1.1 500 No\r\ncontent-length: 3\r\n\r\nbad");
  CHECK(client.take() == "");
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/a?b 200 via_upstream -");
  CHECK(t.stat("m_total") == 1);
  CHECK(t.stat("m_completed") == 1);
  CHECK(t.stat("m_5xx") == 1);
}

TEST_CASE("a cluster's own copies go out instead of those of the route, to a cluster that is found by its name") {
  MirrorPath t;
  route::MirrorPolicy own{.cluster_name = "m"};
  own.host_rewrite = "copy.example";
  t.config->request_policies = std::make_shared<route::RequestPolicies>(route::RequestPolicies{
      nullptr, nullptr, std::make_shared<const route::MirrorPolicies>(route::MirrorPolicies{own})});
  TestClient& client = t.connect();

  client.send(get());

  CHECK(t.copies() == 1);
  CHECK(contains(t.copied(), "host: copy.example\r\n"));
  t.answerCopy();
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("the connection of a copy that was answered takes the next one") {
  MirrorPath t;
  TestClient& client = t.connect();
  for (int i = 0; i < 2; ++i) {
    t.exchange(client, get());
    t.answerCopy();
  }
  CHECK(t.stat("m_completed") == 2);
  CHECK(t.copies() == 1);
}

TEST_CASE("a copy has the body as it comes, and the trailers") {
  MirrorPath t;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "2\r\nab\r\n"));
  CHECK(t.seen().ends_with("\r\n\r\n2\r\nab\r\n"));
  CHECK(t.copied().ends_with("\r\n\r\n2\r\nab\r\n"));
  client.send("1\r\nc\r\n0\r\nx-t: 1\r\n\r\n");
  CHECK(t.seen() == "1\r\nc\r\n0\r\nx-t: 1\r\n\r\n");
  CHECK(t.copied() == "1\r\nc\r\n0\r\nx-t: 1\r\n\r\n");
  t.answerCopy();
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a copy says where it is from as its policy wants") {
  MirrorPath t;
  route::MirrorPolicy& policy = t.policies[0];
  std::string authority = "a.com:80", expected;
  SECTION("behind the name, in front of the port") {
    expected = "a.com-shadow:80";
  }
  SECTION("an address in brackets has no name") {
    authority = expected = "[::1]:80";
  }
  SECTION("as it was") {
    policy.shadow_host = false;
    expected = authority;
  }
  SECTION("another host") {
    policy.host_rewrite = "b.com";
    expected = "b.com";
  }
  t.use();
  TestClient& client = t.connect();
  client.send("GET / HTTP/1.1\r\nhost: " + authority + "\r\n\r\n");
  CHECK(contains(t.copied(), "host: " + expected + "\r\n"));
  CHECK(contains(t.seen(), "host: " + authority + "\r\n"));
  t.answerCopy();
  t.answer();
}

TEST_CASE("headers are changed in the copy alone, one change after the other") {
  MirrorPath t;
  route::HeaderMutations add, remove, again;
  add.add.push_back({.name = "x-a", .value = "2"});
  remove.remove.push_back("x-a");
  again.add.push_back({.name = "x-a", .value = "3"});
  t.policies[0].changes = {add, remove, again};
  t.use();
  TestClient& client = t.connect();
  client.send(request("GET", "/", "x-a: 1\r\n"));
  const std::string copy = t.copied();
  CHECK(contains(copy, "x-a: 3\r\n"));
  CHECK_FALSE(contains(copy, "x-a: 1\r\n"));
  CHECK_FALSE(contains(copy, "x-a: 2\r\n"));
  const std::string original = t.seen();
  CHECK(contains(original, "x-a: 1\r\n"));
  CHECK_FALSE(contains(original, "x-a: 3\r\n"));
  t.answerCopy();
  t.answer();
}

TEST_CASE("each policy makes a copy, for its share of the requests") {
  MirrorPath t;
  t.policies = {t.policy(), t.policy(), t.policy()};
  t.policies[1].fraction = {0, 100};
  t.use();
  TestClient& client = t.connect();
  t.exchange(client, post("abc"));
  CHECK(t.copies() == 2);
  CHECK(t.copied(0).ends_with("abc"));
  CHECK(t.copied(1).ends_with("abc"));
  t.answerCopy(kOk, 0);
  t.answerCopy(kOk, 1);
  CHECK(t.stat("m_completed") == 2);
}

TEST_CASE("what a smaller share takes is part of what a larger one takes") {
  MirrorPath t;
  t.policies = {t.policy(), t.policy()};
  t.policies[0].fraction = {30, 100};
  t.policies[1].fraction = {60, 100};
  t.policies[0].host_rewrite = "small";
  t.policies[1].host_rewrite = "large";
  t.use();
  TestClient& client = t.connect();
  int small = 0, large = 0;
  for (int i = 0; i < 60; ++i) {
    t.exchange(client, get());
    bool in_small = false, in_large = false;
    for (size_t peer = 0; peer < t.copies(); ++peer) {
      const std::string copy = t.copied(peer);
      if (copy.empty()) continue;
      in_small = in_small || contains(copy, "host: small");
      in_large = in_large || contains(copy, "host: large");
      t.answerCopy(kOk, peer);
    }
    small += in_small;
    large += in_large;
    CHECK((!in_small || in_large));
  }
  CHECK(small > 0);
  CHECK(large > small);
  CHECK(large < 60);
}

TEST_CASE("a request may name the cluster of its copy; without a word, or with a wrong one, there is none") {
  MirrorPath t;
  t.policies[0] = {.cluster_header = "x-to"};
  t.use();
  TestClient& client = t.connect();
  const std::string field = GENERATE("x-to: m\r\n", "x-to: nobody\r\n", "");
  client.send(request("GET", "/", field));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.copies() == (contains(field, "m\r") ? 1 : 0));
  if (t.copies() > 0) t.answerCopy();
}

TEST_CASE("a cluster that cannot take copies does no harm to requests") {
  std::optional<SilentHost> silent;
  MirrorPath t;
  SECTION("it has no hosts") {
    t.mirrorAt({});
  }
  SECTION("its host is gone") {
    t.other.stop();
  }
  SECTION("its host does not answer connections") {
    t.mirrorAt({silent.emplace().address});
  }
  SECTION("it is full") {
    t.mirror_breakers->setLimits({upstream::cluster::Thresholds{.max_requests = 0}, {}});
  }
  SECTION("it is not there") {
    t.clusters.remove(1);
  }
  TestClient& client = t.connect();
  CHECK(bodyOf(t.exchange(client, post("abc"))) == "ok");
  CHECK(t.stat("abandoned") == 0);
}

TEST_CASE("copies that wait for a connection share what has come, and get it with their connections") {
  MirrorPath t;
  t.mirror_breakers->setLimits({upstream::cluster::Thresholds{.max_connections = 1}, {}});
  t.policies = {t.policy(), t.policy(), t.policy()};
  t.use();
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "2\r\nab\r\n"));
  CHECK(t.copied().ends_with("2\r\nab\r\n"));
  client.send("2\r\ncd\r\n");
  CHECK(t.copied() == "2\r\ncd\r\n");
  client.send("0\r\nx-t: 1\r\n\r\n");
  t.answerCopy();
  for (int i = 0; i < 2; ++i) {
    const std::string later = t.copied();
    CHECK(contains(later, "\r\n\r\n4\r\nabcd\r\n0\r\nx-t: 1\r\n\r\n"));
    t.other.peer(0).send(kOk);
    t.loop.turn();
  }
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("m_completed") == 3);
  CHECK(t.stat("abandoned") == 0);
}

TEST_CASE("a copy is dropped when more than the limit waits for its connection, which is counted") {
  MirrorPath t;
  const SilentHost silent;
  t.mirrorAt({silent.address});
  t.limit = 4;
  t.use();
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 6\r\n", "abcd"));
  t.seen();
  CHECK(t.mirrors.size() == 1);
  client.send("ef");
  CHECK(t.seen() == "ef");
  CHECK(t.mirrors.size() == 0);
  CHECK(t.stat("abandoned") == 1);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a copy whose host does not read is dropped, and its request goes on at full speed") {
  MirrorPath t;
  t.limit = 100'000;
  t.use();
  const std::string piece(32'768, 'x');
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: " + std::to_string(64 * piece.size()) + "\r\n"));
  size_t got = 0;
  for (int i = 0; i < 64; ++i) {
    const size_t sent = client.sent;
    client.send(piece);
    REQUIRE(client.sent - sent == piece.size());
    got += t.seen().size();
  }
  CHECK(got > 64 * piece.size());
  CHECK(t.stat("abandoned") == 1);
  CHECK(t.mirrors.size() == 0);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a copy has the time of its route, from the end of the request") {
  MirrorPath t;
  t.timeout = 2s;
  t.use();
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 2\r\n", "a"));
  t.loop.pass(5s);
  client.send("b");
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  t.loop.pass(1999ms);
  CHECK(t.mirrors.size() == 1);
  t.loop.pass(1ms);
  CHECK(t.mirrors.size() == 0);
  CHECK(t.stat("m_timeout") == 1);
}

TEST_CASE("a copy of a route without a timeout has 15 seconds once its stream is over") {
  MirrorPath t;
  t.timeout = 0s;
  t.use();
  TestClient& client = t.connect();
  client.send(get());
  t.loop.pass(100s);
  CHECK(t.mirrors.size() == 1);
  t.answer();
  t.loop.pass(14'999ms);
  CHECK(t.mirrors.size() == 1);
  t.loop.pass(1ms);
  CHECK(t.mirrors.size() == 0);
}

TEST_CASE("a copy of a request that breaks off is given up, one that has all of it goes on") {
  MirrorPath t;
  TestClient& client = t.connect();
  const bool whole = GENERATE(true, false);
  client.send(request("POST", "/", "content-length: 3\r\n", whole ? "abc" : "ab"));
  t.copied();
  client.close();
  t.loop.turn();
  CHECK(t.mirrors.size() == (whole ? 1 : 0));
  CHECK(t.other.peer(0).isClosed() == !whole);
  if (whole) t.answerCopy();
  CHECK(t.stat("m_completed") == (whole ? 1 : 0));
}

TEST_CASE("retries make no further copies") {
  MirrorPath t;
  t.retry_policy = std::make_shared<route::RetryPolicy>();
  t.retry_policy->on = route::retry_on::k5xx;
  t.use();
  TestClient& client = t.connect();
  client.send(post("abc"));
  t.answer(kBusy);
  t.loop.pass(200ms);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("rq_retry") == 1);
  CHECK(t.stat("m_total") == 1);
  t.answerCopy();
}

TEST_CASE("upgrades are not copied") {
  MirrorPath t;
  t.settings->codec_limits.allow_upgrades = true;
  t.upgrades = {{"websocket", true}};
  t.use();
  TestClient& client = t.connect();
  client.send(request("GET", "/", "connection: upgrade\r\nupgrade: websocket\r\n"));
  CHECK(contains(t.seen(), "upgrade: websocket"));
  CHECK(t.copies() == 0);
  t.answer();
}

TEST_CASE("a copy that was lost on a connection that had served before is sent once more if that is safe") {
  MirrorPath t;
  TestClient& client = t.connect();
  t.exchange(client, get());
  t.answerCopy();
  client.send(get());
  t.copied();
  t.other.peer(0).close();
  t.loop.turn();
  CHECK(t.copied(1).starts_with("GET / "));
  t.answerCopy(kOk, 1);
  t.answer();
  CHECK(t.stat("m_completed") == 2);
}

}  // namespace
}  // namespace sluice::server
