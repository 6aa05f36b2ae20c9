// The data path from socket to socket: upgrades, CONNECT, endless streams.
#include "source/server/test_data_path.h"
#include "source/upstream/pool/test_transport.h"

namespace sluice::server {
namespace {

const std::string kUpgrade = request("GET", "/chat", "connection: upgrade\r\nupgrade: websocket\r\n");
const std::string kSwitch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

struct Tunnels : DataPath {
  Tunnels() {
    settings->codec_limits.allow_upgrades = true;
    settings->upgrades.push_back({"websocket", true});
  }
};

TEST_CASE("an upgrade that the host accepts is a tunnel both ways") {
  Tunnels t;
  TestClient& client = t.connect();
  client.send(kUpgrade + "early");
  const std::string seen = t.seen();
  CHECK(contains(seen, "connection: upgrade\r\nupgrade: websocket\r\n"));
  CHECK_FALSE(contains(seen, "early"));  // held until the tunnel is accepted
  t.host.peer(0).send(kSwitch + "hello");
  t.loop.turn();
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(bodyOf(got) == "hello");
  CHECK(t.seen() == "early");
  client.send("GET / HTTP/1.1\r\n");
  CHECK(t.seen() == "GET / HTTP/1.1\r\n");
  SECTION("no timeout of the route ends it, the stream's idle timeout does") {
    t.loop.pass(60s);
    CHECK(t.open() == 1);
    t.host.peer(0).send("late");
    t.loop.turn();
    CHECK(client.take() == "late");
    t.loop.pass(301s);
    client.take();
    CHECK(t.open() == 0);
  }
  SECTION("the client's end reaches the host, whose answer still comes") {
    client.finish();
    CHECK(t.seen() == "");
    CHECK(t.host.peer(0).closed);
    t.host.peer(0).send("bye");
    t.loop.turn();
    CHECK(client.take() == "bye");
    t.host.peer(0).close();
    t.loop.turn();
    client.take();
    CHECK(client.ended);
    CHECK(t.log.at(0) == "/chat 101 via_upstream -");
  }
  SECTION("the host's end reaches the client") {
    t.host.peer(0).send("bye");
    t.host.peer(0).close();
    t.loop.turn();
    CHECK(client.take() == "bye");
    CHECK(client.ended);
  }
}

TEST_CASE("a refused upgrade is an ordinary answer, and poisons no connection") {
  Tunnels t;
  TestClient& client = t.connect();
  client.send(kUpgrade + get("/next"));
  CHECK(contains(t.seen(), "upgrade: websocket"));
  t.answer("HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\nno");
  CHECK(client.take().starts_with("HTTP/1.1 400 Bad\r\n"));
  CHECK(t.seen().starts_with("GET /next "));  // on the same connection: nothing of a tunnel went out
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.host.accept() == 1);
}

TEST_CASE("a 426 says which protocol is wanted") {
  Tunnels t;
  TestClient& client = t.connect();
  client.send(get());
  t.answer(
      "HTTP/1.1 426 Upgrade Required\r\nupgrade: TLS/1.0, HTTP/2.0\r\nconnection: Upgrade\r\n"
      "content-length: 0\r\n\r\n");
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
  CHECK(contains(got, "upgrade: TLS/1.0, HTTP/2.0\r\n"));
  CHECK(contains(got, "connection: upgrade\r\n"));
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
}

TEST_CASE("a CONNECT that ends here has a place in the breaker of requests") {
  Tunnels t;
  t.stats.rq_overflow = t.registry.counter("rq_active_overflow");
  auto transport = std::make_shared<upstream::pool::ClientTellingFactory>();
  t.config->transport = transport;
  t.publish();
  t.thresholds[0].max_requests = 1;
  t.breakers->setLimits(t.thresholds);
  t.settings->upgrades.push_back({"connect", true});
  route::ForwardSpec action = t.forward("c");
  action.upgrades = {{.type = "connect", .ends_here = true}};
  t.routes.front().path_kind = route::PathKind::kConnect;
  t.routes.front().action = action;
  t.route("/unused", t.forward("c"));
  const std::string connect = "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n";
  TestClient& first = t.connect();
  first.send(connect);
  t.seen();
  CHECK(first.take().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(t.stat("rq_active") == 1);
  CHECK(transport->clients == std::vector<std::string>{"10.1.2.3:4567>10.0.0.1:80"});
  TestClient& second = t.connect();
  second.send(connect);
  t.loop.turn();
  CHECK(second.take().starts_with("HTTP/1.1 503 "));
  CHECK(t.stat("rq_active_overflow") == 1);
  first.close();
  t.loop.turn();
  t.host.peer(0).close();
  t.loop.turn();
  CHECK(t.breakers->used(Resource::kRequests, kPriority) == 0);
}

TEST_CASE("an upgrade that nobody allows is answered 403") {
  Tunnels t;
  TestClient& client = t.connect();
  SECTION("the connection manager") {
    t.settings->upgrades[0].enabled = false;
  }
  SECTION("the route") {
    route::ForwardSpec action = t.forward("c");
    action.upgrades = {{"websocket", false}};
    t.route("/chat", action);
  }
  SECTION("another protocol is") {
    t.settings->upgrades[0].type = "other";
  }
  client.send(kUpgrade + get("/next"));
  CHECK(t.seen().starts_with("GET /next "));
  t.answer();
  const std::string got = client.take();
  CHECK(got.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(contains(got, "HTTP/1.1 200 OK\r\n"));
  CHECK(t.log.at(0) == "/chat 403 upgrade_failed -");
}

TEST_CASE("a route may allow an upgrade that the connection manager does not") {
  Tunnels t;
  t.settings->upgrades.clear();
  route::ForwardSpec action = t.forward("c");
  action.upgrades = {{"websocket", true}};
  t.route("/chat", action);
  TestClient& client = t.connect();
  client.send(kUpgrade);
  CHECK(contains(t.seen(), "upgrade: websocket"));
}

TEST_CASE("CONNECT is for routes that match it, and is passed on") {
  Tunnels t;
  t.settings->upgrades.push_back({"connect", true});
  TestClient& client = t.connect();
  const std::string connect = "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n";
  SECTION("no route") {
    client.send(connect);
    t.loop.turn();
    CHECK(client.take().starts_with("HTTP/1.1 404 "));
    CHECK(client.ended);
  }
  SECTION("a route") {
    t.routes.front().path_kind = route::PathKind::kConnect;
    t.route("/unused", t.forward("c"));
    client.send(connect + "early");
    CHECK(t.seen().starts_with("CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n"));
    t.answer("HTTP/1.1 200 OK\r\n\r\n");
    CHECK(client.take().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(t.seen() == "early");
    t.answer("bytes");
    CHECK(client.take() == "bytes");
  }
}

TEST_CASE("an upgrade that is not answered times out as any request") {
  Tunnels t;
  TestClient& client = t.connect();
  client.send(kUpgrade);
  t.seen();
  t.loop.pass(15s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
}

TEST_CASE("a stream of events is not ended by the timeout that nobody chose") {
  DataPath t;
  TestClient& client = t.connect();
  const std::string head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n";
  SECTION("the default") {
    client.send(get());
    t.answer(head + "5\r\nfirst\r\n");
    t.loop.pass(100s);
    t.answer("4\r\nlast\r\n0\r\n\r\n");
    CHECK(contains(client.take(), "4\r\nlast\r\n0\r\n\r\n"));
  }
  SECTION("a chosen one") {
    route::ForwardSpec action = t.forward("c");
    action.timeout = 15s;
    t.route("/timed", action);
    client.send(get("/timed"));
    t.answer(head + "5\r\nfirst\r\n");
    t.loop.pass(15s);
    client.take();
    CHECK(client.ended);
  }
}

}  // namespace
}  // namespace sluice::server
