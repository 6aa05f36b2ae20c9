// The data path of one worker from the client's bytes to the upstream's and back: session, router and pools over real
// sockets in virtual time. What the router answers, when it sends a request again, and what it holds in memory.
#include "source/server/test_data_path.h"
#include "source/upstream/pool/test_transport.h"

namespace sluice::server {
namespace {

TEST_CASE("a request goes to its cluster and the response comes back") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(request("GET", "/a?b", "x-a: 1\r\n"));
  const std::string seen = t.seen();
  CHECK(seen.starts_with("GET /a?b HTTP/1.1\r\nhost: x\r\n"));
  CHECK(contains(seen, "x-a: 1\r\n"));
  CHECK(contains(seen, "x-forwarded-proto: http\r\n"));
  CHECK(contains(seen, "x-request-id: "));
  CHECK(contains(seen, "x-envoy-expected-rq-timeout-ms: 15000\r\n"));
  t.answer("HTTP/1.1 201 Made\r\nx-b: 2\r\nserver: theirs\r\ncontent-length: 3\r\n\r\nabc");
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 201 Made\r\n"));
  CHECK(contains(got, "x-b: 2\r\n"));
  CHECK(contains(got, "server: sluice\r\n"));
  CHECK(contains(got, "x-envoy-upstream-service-time: 0\r\n"));
  CHECK(bodyOf(got) == "abc");
  CHECK(t.log.at(0) == "/a?b 201 via_upstream -");
}

TEST_CASE("many requests use one connection to the host, pipelined ones in order") {
  DataPath t;
  TestClient& client = t.connect();
  for (int i = 0; i < 3; ++i) CHECK(bodyOf(t.exchange(client, get())) == "ok");
  client.send(get("/1") + get("/2"));
  CHECK(t.seen().starts_with("GET /1 "));
  t.answer();
  CHECK(t.seen().starts_with("GET /2 "));
  t.answer();
  CHECK(t.host.accept() == 1);
}

TEST_CASE("a request that a reused connection lost is sent once more, whatever the limit of retries") {
  DataPath t;
  t.breakers->setLimits({upstream::cluster::Thresholds{.max_retries = 0}, {}});
  TestClient& client = t.connect();
  CHECK(t.exchange(client, get()).starts_with("HTTP/1.1 200 "));
  client.send(get());
  t.seen();
  t.host.peer(0).close();
  CHECK(bodyOf(client.take()) == "no message");
  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("rq_retry") == 1);
}

TEST_CASE("a route of high priority has limits and connections of its own") {
  DataPath t;
  t.breakers->setLimits(
      {upstream::cluster::Thresholds{.max_requests = 0}, upstream::cluster::Thresholds{.max_requests = 1}});
  route::ForwardSpec urgent = t.forward("c");
  urgent.high_priority = true;
  t.route("/urgent", urgent);
  TestClient& client = t.connect();
  CHECK(t.exchange(client, get("/urgent")).starts_with("HTTP/1.1 200 "));
  client.send(get("/other"));
  t.loop.turn();
  CHECK(client.take().starts_with("HTTP/1.1 503 "));
  CHECK(t.log.back().find("UO") != std::string::npos);
}

TEST_CASE("a request is sent once more when the connection it was put on had died unseen") {
  DataPath t;
  TestClient& client = t.connect();
  t.exchange(client, get());
  const std::string again = GENERATE(std::string("GET"), std::string("HEAD"), std::string("DELETE"));
  client.send(request(again, "/again"));
  CHECK(t.seen().starts_with(again + " /again"));
  t.host.peer(0).close();
  CHECK(t.seen(1).starts_with(again + " /again"));
  SECTION("and answered") {
    t.answer(kOk, 1);
    CHECK(client.take().starts_with("HTTP/1.1 200 "));
    CHECK(t.log.at(1) == "/again 200 via_upstream -");
    CHECK(t.stat("rq_retry") == 1);
  }
  SECTION("but not twice") {
    t.host.peer(1).close();
    t.loop.turn();
    CHECK(client.take().starts_with("HTTP/1.1 503 "));
    CHECK(t.host.accept() == 2);
  }
}

TEST_CASE("a request that the host may have seen is not sent again") {
  DataPath t;
  TestClient& client = t.connect();
  t.exchange(client, get());
  std::string partial;
  SECTION("not idempotent") {
    client.send(request("POST", "/p", "content-length: 0\r\n"));
  }
  SECTION("with a body") {
    client.send(request("PUT", "/p", "content-length: 1\r\n", "a"));
  }
  SECTION("some of the answer came") {
    client.send(get("/p"));
    partial = "HTTP/1.1 200 OK\r\n";
  }
  SECTION("an informational head came") {
    client.send(get("/p"));
    partial = "HTTP/1.1 103 Early Hints\r\n\r\n";
  }
  t.seen();
  t.host.peer(0).send(partial);
  t.loop.turn();
  t.host.peer(0).close();
  t.loop.turn();
  const std::string got = client.take();
  CHECK(contains(got, "HTTP/1.1 503 "));
  CHECK(
      got.ends_with("upstream connect error or disconnect/reset before headers. reset reason: connection termination"));
  CHECK(t.log.at(1) == "/p 503 upstream_reset_before_response_started{connection_termination} UC");
  CHECK(t.host.accept() == 1);
  CHECK(t.stat("rq_retry") == 0);
}

TEST_CASE("a new connection that dies fails its request") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  t.host.peer(0).close();
  t.loop.turn();
  CHECK(client.take().starts_with("HTTP/1.1 503 "));
  CHECK(t.host.accept() == 1);
  // The client's connection goes on.
  CHECK(bodyOf(t.exchange(client, get(), 1)) == "ok");
}

TEST_CASE("failures are told in Envoy's words") {
  DataPath t;
  TestClient& client = t.connect();
  std::string log, body;
  SECTION("refused") {
    t.host.stop();
    log = "/ 503 upstream_reset_before_response_started{remote_connection_failure} UF";
    body = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
  }
  SECTION("no answer to the attempt") {
    SilentHost silent;
    t.hosts({silent.address});
    client.send(get());
    t.loop.pass(5s);
    log = "/ 503 upstream_reset_before_response_started{connection_timeout} UF";
    body = "upstream connect error or disconnect/reset before headers. reset reason: connection timeout";
  }
  SECTION("no host") {
    t.hosts({});
    log = "/ 503 no_healthy_upstream UH";
    body = "no healthy upstream";
  }
  SECTION("no cluster") {
    t.route("/", t.forward("nowhere"));
    log = "/ 503 cluster_not_found NC";
  }
  SECTION("no route") {
    t.routes.clear();
    t.route("/other", t.forward("c"));
    log = "/ 404 route_not_found NR";
  }
  SECTION("no table") {
    t.tables.set(0, nullptr);
    log = "/ 404 route_not_found NR";
  }
  SECTION("too many requests") {
    t.thresholds[0].max_requests = 0;
    t.breakers->setLimits(t.thresholds);
    log = "/ 503 upstream_reset_before_response_started{overflow} UO";
    body = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
  }
  SECTION("too many wait") {
    t.thresholds[0].max_pending_requests = 0;
    t.breakers->setLimits(t.thresholds);
    log = "/ 503 upstream_reset_before_response_started{overflow} UO";
    body = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
  }
  if (t.log.empty()) client.send(get());
  t.loop.turn();
  const std::string got = client.take();
  CHECK(t.log.at(0) == log);
  CHECK(bodyOf(got) == body);
  CHECK(contains(got, "x-envoy-overloaded: true") == contains(log, " UO"));
  CHECK(t.connections.empty() == false);
}

TEST_CASE("why the handshake with a host failed is for the log, not for the client") {
  DataPath t;
  auto transport = std::make_shared<upstream::pool::PlainFactory>();
  transport->handshake_failure = "TLS_error:certificate of internal.example has expired";
  t.config->transport = transport;
  t.publish();
  TestClient& client = t.connect();
  client.send(get());
  t.loop.turn();
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 503 "));
  CHECK(contains(got, "reset reason: remote connection failure"));
  CHECK_FALSE(contains(got, "certificate"));
  CHECK(contains(t.log.at(0), "UF"));
}

TEST_CASE("an upstream that breaks the protocol is answered for with 502") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(get());
  t.answer("what\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 502 "));
  CHECK(t.log.at(0) == "/ 502 upstream_reset_before_response_started{protocol_error} UPE");
}

TEST_CASE("a response that is cut short cuts the client's connection") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(get());
  SECTION("by its end") {
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    t.host.peer(0).close();
    t.loop.turn();
    CHECK(t.log.at(0) == "/ 200 upstream_reset_after_response_started{connection_termination} UC");
  }
  SECTION("by bad framing") {
    t.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
    CHECK(t.log.at(0) == "/ 200 upstream_reset_after_response_started{protocol_error} UPE");
  }
  const std::string got = client.take();
  CHECK(contains(bodyOf(got), "abc"));
  CHECK_FALSE(got.ends_with("0\r\n\r\n"));
  CHECK(client.ended);
}

TEST_CASE("redirects and direct responses need no upstream") {
  DataPath t;
  route::RedirectSpec redirect;
  redirect.host = "elsewhere";
  t.route("/r", redirect);
  route::DirectResponseSpec direct;
  direct.status = 418;
  direct.body = "tea";
  t.route("/d", direct);
  TestClient& client = t.connect();
  client.send(get("/r?x") + get("/d") + post("body", "/d") + get("/r"));
  t.loop.turn();
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 301 "));
  CHECK(contains(got, "location: http://elsewhere/r?x\r\n"));
  CHECK(contains(got, "HTTP/1.1 418 "));
  CHECK(t.log.at(0) == "/r?x 301 direct_response -");
  CHECK(t.log.at(1) == "/d 418 direct_response -");
  CHECK(t.host.accept() == 0);
  CHECK(t.log.size() == 3);  // an answer before the body closes the connection
  CHECK(client.ended);
}

TEST_CASE("what a route adds to responses is on answers in the host's stead, once") {
  DataPath t;
  t.routes.front().mutations.response.add.push_back({.name = "x-frame-options", .value = "DENY"});
  route::RouteSpec& away = t.routes.emplace_front(t.routes.front());
  away.path = "/away";
  away.action = route::RedirectSpec{.host = "b.example"};
  route::RouteSpec& here = t.routes.emplace_front(t.routes.back());
  here.path = "/here";
  here.action = route::DirectResponseSpec{.status = 200, .body = "hi"};
  t.route("/unused", t.forward("c"));
  t.hosts({});
  for (const char* path : {"/", "/away", "/here"}) {
    TestClient& client = t.connect();
    client.send(get(path));
    t.loop.turn();
    const std::string got = client.take();
    INFO(got);
    const size_t at = got.find("x-frame-options: DENY\r\n");
    REQUIRE(at != std::string::npos);
    CHECK(got.find("x-frame-options", at + 1) == std::string::npos);
  }
}

TEST_CASE("weighted clusters share the requests") {
  DataPath t;
  route::ForwardSpec action;
  for (const auto& [name, weight] : {std::pair("c", 0u), std::pair("other", 1u)}) {
    auto& choice = action.weighted.emplace_back();
    choice.cluster = t.names.idOf(name);
    choice.cluster_name = name;
    choice.weight = weight;
  }
  t.route("/", action);
  TestClient& client = t.connect();
  client.send(get());
  t.loop.turn();
  CHECK(client.take().starts_with("HTTP/1.1 503 "));  // "other" is not there
  CHECK(t.log.at(0) == "/ 503 cluster_not_found NC");
}

TEST_CASE("a request goes to the cluster that it names, and to none if there is none of that name") {
  DataPath t;
  t.route("/", route::ForwardSpec{.cluster_header = "x-cluster", .cluster_not_found_status = 404});
  TestClient& client = t.connect();
  client.send(request("GET", "/", "x-cluster: c\r\n"));
  CHECK(t.seen().starts_with("GET / HTTP/1.1\r\n"));
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  for (const char* header : {"", "x-cluster: gone\r\n"}) {
    client.send(request("GET", "/", header));
    t.loop.turn();
    CHECK(client.take().starts_with("HTTP/1.1 404 "));
    CHECK(t.log.back() == "/ 404 cluster_not_found NC");
  }
}

TEST_CASE("a body that comes before there is a connection waits for it, trailers too") {
  DataPath t;
  t.settings->codec_limits.enable_trailers = true;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "3\r\nabc\r\n3\r\ndef\r\n0\r\nx-t: 1\r\n\r\n"));
  const std::string seen = t.seen();
  CHECK(bodyOf(seen) == "6\r\nabcdef\r\n0\r\nx-t: 1\r\n\r\n");
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("trailers of the response reach the client") {
  DataPath t;
  t.settings->codec_limits.enable_trailers = true;
  t.config->http.enable_trailers = true;
  TestClient& client = t.connect();
  client.send(get());
  t.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n");
  CHECK(bodyOf(client.take()) == "2\r\nab\r\n0\r\nx-t: 1\r\n\r\n");
}

TEST_CASE("answers are counted in their cluster as far as the router is to") {
  const auto [dynamic, suppress, completed, of_class] =
      GENERATE(table<bool, bool, int, int>({{true, false, 1, 1}, {false, false, 0, 0}, {true, true, 1, 0}}));
  DataPath t;
  t.stats.rq_completed = t.registry.counter("completed");
  t.stats.rq_2xx = t.registry.counter("2xx");
  t.late_counters = std::make_shared<observability::LateCounters>();
  t.own_zone = "a";
  upstream::cluster::Assignment assignment;
  auto& locality = assignment.localities.emplace_back();
  locality.locality.zone = "b";
  locality.endpoints.emplace_back().address = t.host.address;
  t.assign(assignment);
  auto router = std::make_shared<router::RouterSettings>();
  router->dynamic_stats = dynamic;
  router->suppress_grpc_code_stats = suppress;
  t.settings->terminal = router;
  TestClient& client = t.connect();

  client.send(request("GET", "/", "content-type: application/grpc\r\n"));
  t.answer();

  CHECK(client.take().starts_with("HTTP/1.1 200 OK"));
  CHECK(t.stat("completed") == completed);
  CHECK(t.stat("2xx") == of_class);
  observability::Scope scope = t.registry.scope("cluster", "c");
  t.late_counters->show(scope, t.cells);
  const auto of_zone = [&t](const std::string& name) { return t.registry.valueOf("cluster.c.zone.a.b." + name); };
  CHECK(of_zone("upstream_rq_completed").value_or(0) == completed);
  CHECK(of_zone("upstream_rq_200").value_or(0) == of_class);
  CHECK(t.stat("rq_total") == 1);
}

TEST_CASE("informational responses pass, 100 only once") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 1\r\nexpect: 100-continue\r\n"));
  t.loop.turn();
  CHECK(client.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("x");
  t.answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + kOk);
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("what a client expects is asked of the host, and told once, where that is wanted") {
  DataPath t;
  t.settings->proxies_continue = true;
  TestClient& client = t.connect();

  client.send(request("POST", "/", "content-length: 1\r\nexpect: 100-continue\r\n"));

  CHECK(contains(t.seen(), "expect: 100-continue\r\n"));
  CHECK(client.take() == "");
  SECTION("a host that wants the body gets it") {
    t.answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client.take() == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("x");
    CHECK(t.seen() == "x");
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("a host that does not want it answers at once") {
    t.answer("HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n");
    CHECK(client.take().starts_with("HTTP/1.1 413 "));
  }
}

TEST_CASE("HEAD and 304 have no body, whatever their length says") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(request("HEAD", "/"));
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
  CHECK(contains(client.take(), "content-length: 100\r\n"));
  client.send(get());
  t.answer("HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 304 "));
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
  CHECK(t.host.accept() == 1);
}

TEST_CASE("a large response is read no faster than the client reads") {
  DataPath t;
  const bool chunked = GENERATE(false, true);
  const size_t piece = GENERATE(100u, 50'000u);
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  const size_t size = 10'000'000;
  t.host.peer(0).send(chunked ? "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                              : "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n");
  std::string bytes;
  char head[16];
  snprintf(head, sizeof(head), "%zx\r\n", piece);
  for (size_t left = size; left > 0; left -= piece) {
    bytes += chunked ? head + std::string(piece, 'x') + "\r\n" : std::string(piece, 'x');
  }
  if (chunked) bytes += "0\r\n\r\n";
  size_t given = 0;
  auto give = [&] {
    const size_t before = t.host.peer(0).sent;
    t.host.peer(0).send(std::string_view(bytes).substr(given));
    given += t.host.peer(0).sent - before;
    t.loop.turn();
  };
  for (int i = 0; i < 20; ++i) give();
  // What the kernel's buffers hold, and some blocks of ours.
  CHECK(given < 2'000'000);
  size_t got = 0;
  for (int i = 0; i < 5000 && t.log.empty(); ++i) {
    give();
    got += client.take().size();
  }
  got += client.take().size();
  CHECK(given == bytes.size());
  CHECK(got >= size);
  CHECK(t.log.size() == 1);
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
}

TEST_CASE("a large request is read no faster than the host reads") {
  DataPath t;
  const bool chunked = GENERATE(false, true);
  TestClient& client = t.connect();
  const size_t size = 10'000'000, piece = 100;
  std::string bytes = request("POST", "/", chunked ? "transfer-encoding: chunked\r\n" : "content-length: 10000000\r\n");
  for (size_t left = size; left > 0; left -= piece) {
    bytes += chunked ? "64\r\n" + std::string(piece, 'x') + "\r\n" : std::string(piece, 'x');
  }
  if (chunked) bytes += "0\r\n\r\n";
  size_t given = 0;
  auto give = [&] {
    const size_t before = client.sent;
    client.send(std::string_view(bytes).substr(given));
    given += client.sent - before;
    t.loop.turn();
  };
  for (int i = 0; i < 20; ++i) give();
  CHECK(given < 2'000'000);
  size_t got = 0;
  for (int i = 0; i < 5000 && (given < bytes.size() || got < size); ++i) {
    give();
    got += t.host.peer(0).take().size();
    t.loop.turn();
  }
  CHECK(given == bytes.size());
  CHECK(got >= size);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a response before the end of its request ends both connections, and reaches the client") {
  DataPath t;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 1000000\r\n", std::string(100, 'x')));
  t.seen();
  t.host.peer(0).send("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
  t.loop.turn();
  client.send(std::string(1000, 'x'));
  t.loop.turn();
  CHECK(bodyOf(client.take()) == "big");
  CHECK(client.ended);
  CHECK_FALSE(client.broken);
  t.host.peer(0).take();
  CHECK(t.host.peer(0).closed);
}

TEST_CASE("a client that goes away takes its request along") {
  DataPath t;
  TestClient& client = t.connect();
  SECTION("while the host works") {
    client.send(get());
    t.seen();
  }
  SECTION("in the middle of the response") {
    client.send(get());
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
  }
  SECTION("in the middle of its request") {
    client.send(request("POST", "/", "content-length: 10\r\n", "abc"));
    t.seen();
  }
  client.close();
  t.loop.turn();
  t.host.peer(0).take();
  CHECK(t.host.peer(0).closed);
  CHECK(t.log.at(0).ends_with(" downstream_remote_disconnect DC"));
  CHECK(t.connections.empty());
}

TEST_CASE("a host that is removed finishes what it has, another gets what comes") {
  DataPath t;
  TestUpstream second;
  TestClient& busy = t.connect();
  TestClient& next = t.connect();
  t.exchange(next, get());
  busy.send(get());
  t.seen();
  t.hosts({second.address});
  next.send(get());
  t.loop.turn();
  second.peer(0).take();
  second.peer(0).send(kOk);
  t.loop.turn();
  CHECK(bodyOf(next.take()) == "ok");
  t.answer();
  CHECK(bodyOf(busy.take()) == "ok");
  t.host.peer(0).take();
  CHECK(t.host.peer(0).closed);
}

TEST_CASE("an endpoint that changes its hostname at the same address is another host, with connections of its own") {
  DataPath t;
  const auto named = [&t](const char* hostname) {
    upstream::cluster::Assignment assignment;
    auto& endpoint = assignment.localities.emplace_back().endpoints.emplace_back();
    endpoint.address = t.host.address;
    endpoint.hostname = hostname;
    t.assign(assignment);
  };
  named("a.example");
  TestClient& client = t.connect();
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
  named("a.example");
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
  named("b.example");
  t.seen();
  CHECK(t.host.peer(0).closed);
  CHECK(bodyOf(t.exchange(client, get(), 1)) == "ok");
}

TEST_CASE("a host that is removed while requests wait for it still serves them") {
  DataPath t;
  t.thresholds[0].max_connections = 1;
  t.breakers->setLimits(t.thresholds);
  TestClient& busy = t.connect();
  TestClient& waits = t.connect();
  busy.send(get());
  t.loop.turn();
  waits.send(get());
  t.loop.turn();
  t.hosts({});
  t.hosts({});
  t.answer();
  t.answer();
  CHECK(bodyOf(busy.take()) == "ok");
  CHECK(bodyOf(waits.take()) == "ok");
}

TEST_CASE("a cluster that goes or changes lets its requests finish") {
  DataPath t;
  TestClient& busy = t.connect();
  busy.send(get());
  t.seen();
  SECTION("goes") {
    t.clusters.remove(0);
    TestClient& late = t.connect();
    late.send(get());
    t.loop.turn();
    CHECK(late.take().starts_with("HTTP/1.1 503 "));
  }
  SECTION("changes") {
    t.config = std::make_shared<upstream::cluster::ClusterConfig>(*t.config);
    t.publish();
    TestClient& late = t.connect();
    CHECK(bodyOf(t.exchange(late, get(), 1)) == "ok");
  }
  t.answer();
  CHECK(bodyOf(busy.take()) == "ok");
}

TEST_CASE("a route table that is replaced serves its requests to their end") {
  DataPath t;
  TestClient& busy = t.connect();
  busy.send(get());
  t.seen();
  t.tables.set(0, nullptr);
  t.answer();
  CHECK(bodyOf(busy.take()) == "ok");
  busy.send(get());
  t.loop.turn();
  CHECK(busy.take().starts_with("HTTP/1.1 404 "));
}

TEST_CASE("bytes that a host sends behind its response do not reach another client") {
  DataPath t;
  TestClient& one = t.connect();
  TestClient& two = t.connect();
  one.send(get());
  t.answer(kOk + "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  CHECK(bodyOf(one.take()) == "ok");
  CHECK(bodyOf(t.exchange(two, get(), 1)) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
}

TEST_CASE("the listener's buffer limit holds for an answer that its client does not read") {
  const auto held = [](uint32_t limit) {
    DataPath t;
    t.buffer_limit = limit;
    t.route("/", t.forward("c"));
    t.connect().send(get());
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
    const std::string piece(16 * 1024, 'x');
    for (size_t before = SIZE_MAX; before != t.host.peer(0).sent;) {
      before = t.host.peer(0).sent;
      t.host.peer(0).send(piece);
      t.loop.turn();
    }
    return t.host.peer(0).sent;
  };

  CHECK(held(1024 * 1024) - held(4096) > 48 * 1024);
}

}  // namespace
}  // namespace sluice::server
