#include "source/extensions/filters/network/redis_proxy/session.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/network/redis_proxy/test_redis.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::redis_proxy {
namespace {

using redis::command;
using testing::RedisTest;
using testing::TestPeer;

TEST_CASE("a command goes to a host and its answer comes back") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"GET", "a"})).empty());
  CHECK(t.asked() == command({"GET", "a"}));

  t.reply("$1\r\nx\r\n");
  CHECK(client.take() == "$1\r\nx\r\n");
}

TEST_CASE("all clients share one connection to a host and each gets its own answer") {
  RedisTest t;
  TestPeer& one = t.connect();
  TestPeer& two = t.connect();
  t.ask(one, command({"GET", "a"}));
  t.ask(two, command({"GET", "b"}));
  CHECK(t.asked() == command({"GET", "a"}) + command({"GET", "b"}));
  CHECK(t.host.accept() == 1);

  t.reply("+A\r\n+B\r\n");
  CHECK(one.take() == "+A\r\n");
  CHECK(two.take() == "+B\r\n");
}

TEST_CASE("answers go in the order of the commands, the proxy's own among them") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"GET", "a"}) + command({"PING"}) + command({"ECHO", "x"})).empty());
  t.asked();

  t.reply("$-1\r\n");
  CHECK(client.take() == "$-1\r\n+PONG\r\n$1\r\nx\r\n");
}

TEST_CASE("keys of MGET, MSET and DEL go out one by one and come back as one answer") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"MGET", "a", "b"}));
  CHECK(t.asked() == command({"GET", "a"}) + command({"GET", "b"}));
  t.reply("$1\r\n1\r\n:7\r\n");
  CHECK(client.take() == "*2\r\n$1\r\n1\r\n-upstream protocol error\r\n");

  t.ask(client, command({"MSET", "a", "1", "b", "2"}));
  CHECK(t.asked() == command({"SET", "a", "1"}) + command({"SET", "b", "2"}));
  t.reply("+OK\r\n+OK\r\n");
  CHECK(client.take() == "+OK\r\n");

  t.ask(client, command({"del", "a", "b"}));
  CHECK(t.asked() == command({"del", "a"}) + command({"del", "b"}));
  t.reply(":1\r\n:2\r\n");
  CHECK(client.take() == ":3\r\n");

  t.ask(client, command({"exists", "a", "b"}));
  t.asked();
  t.reply(":1\r\n-ERR no\r\n");
  CHECK(client.take() == "-finished with 1 error(s)\r\n");
}

TEST_CASE("what cannot be served is answered with Envoy's words") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"SUBSCRIBE", "a"})) ==
        "-ERR unknown command 'SUBSCRIBE', with args beginning with: 'a'\r\n");
  CHECK(t.stat("unsupported") == 1);
  CHECK(t.ask(client, command({"GET"})) == "-invalid request\r\n");
  CHECK(t.ask(client, "*0\r\n") == "-invalid request\r\n");
  CHECK(t.ask(client, command({"MSET", "a", "1", "b"})) == "-wrong number of arguments for 'MSET' command\r\n");
  CHECK(t.ask(client, command({"SELECT", "0"})) == "+OK\r\n");
  CHECK(t.ask(client, command({"SELECT", "1"})) == "-ERR only database 0 is served\r\n");
  CHECK(t.ask(client, command({"CLIENT", "SETNAME", "x"})) == "+OK\r\n");
  t.hosts({});
  CHECK(t.ask(client, command({"GET", "a"})) == "-no upstream host\r\n");
}

TEST_CASE("no client makes the connection that all share another one") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"SCRIPT", "Debug", "SYNC"})) == "-ERR SCRIPT DEBUG is not supported by the proxy\r\n");
  CHECK(t.ask(client, command({"CLIENT", "REPLY", "OFF"})) ==
        "-ERR CLIENT subcommand 'REPLY' is not supported by the proxy\r\n");
  CHECK(t.asked().empty());
  t.ask(client, command({"SCRIPT", "LOAD", "return 1"}));
  CHECK(t.asked() == command({"SCRIPT", "LOAD", "return 1"}));
  t.reply("-NOSCRIPT x\r\n");
  CHECK(client.take() == "-NOSCRIPT x\r\n");
}

TEST_CASE("an answer of a script is passed on however deep and long it is") {
  RedisTest t;
  TestPeer& client = t.connect();
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "*1\r\n";
  const std::string answers = deep + ":1\r\n-" + std::string(70000, 'x') + "\r\n";
  t.ask(client, command({"EVAL", "x", "1", "a"}) + command({"EVAL", "x", "1", "a"}));
  t.asked();
  t.reply(answers);
  CHECK(client.take() == answers);
}

TEST_CASE("inline commands end the connection behind what was answered before") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"PING"}) + "GET / HTTP/1.1\r\n") == "+PONG\r\n-downstream protocol error\r\n");
  CHECK(client.isClosed());
  CHECK(t.stat("protocol_error") == 1);
}

TEST_CASE("a host that breaks or does not answer in time fails what it was sent") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}) + command({"GET", "b"}));
  t.asked();
  t.host.peer(0).close();
  t.loop.turn();
  CHECK(client.take() == "-upstream failure\r\n-upstream failure\r\n");

  t.ask(client, command({"GET", "c"}));
  CHECK(t.asked(1) == command({"GET", "c"}));
  t.loop.pass(999ms);
  CHECK(client.take().empty());
  t.loop.pass(2ms);
  CHECK(client.take() == "-upstream failure\r\n");
  CHECK(t.stat("timeout") == 1);
  CHECK(t.host.peer(1).isClosed());
}

TEST_CASE("a host that connects and does not answer is an outlier") {
  struct Heard : upstream::OutlierReports {
    void detected(const std::shared_ptr<upstream::cluster::HostMonitor>&, upstream::cluster::Detection) override {
      ++count;
    }
    int count = 0;
  };
  RedisTest t;
  const auto heard = std::make_shared<Heard>();
  auto outlier = std::make_shared<upstream::cluster::OutlierConfig>();
  outlier->consecutive_5xx = 2;
  t.config->outlier = outlier;
  t.outlier_reports = heard;
  t.publish();
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  CHECK(t.asked() == command({"GET", "a"}));
  t.loop.pass(1001ms);
  CHECK(heard->count == 0);
  t.ask(client, command({"GET", "a"}));
  t.asked(1);
  t.host.peer(1).close();
  t.loop.turn();
  CHECK(heard->count == 1);

  t.ask(client, command({"GET", "a"}));
  t.asked(2);
  t.reply("-ERR x\r\n", 2);
  t.ask(client, command({"GET", "a"}));
  t.host.peer(2).close();
  t.loop.turn();
  CHECK(heard->count == 1);
}

TEST_CASE("a client that goes leaves its answers to nobody") {
  RedisTest t;
  TestPeer& one = t.connect();
  TestPeer& two = t.connect();
  t.ask(one, command({"MGET", "a", "b"}));
  t.ask(two, command({"GET", "c"}));
  t.asked();
  one.close();
  t.loop.turn();

  t.reply("+1\r\n+2\r\n+3\r\n");
  CHECK(two.take() == "+3\r\n");
}

TEST_CASE("an answer that nobody asked for ends the connection to the host") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();
  t.reply("+1\r\n+2\r\n");
  CHECK(client.take() == "+1\r\n");
  CHECK(t.host.peer(0).isClosed());

  t.ask(client, command({"GET", "a"}));
  t.asked(1);
  t.reply("HTTP/1.1 400\r\n", 1);
  CHECK(client.take() == "-upstream failure\r\n");
}

TEST_CASE("without a password only AUTH is served, and only small commands are read") {
  RedisTest t;
  t.settings->passwords = {"old", "new"};
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"GET", "a"})) == "-NOAUTH Authentication required.\r\n");
  CHECK(t.ask(client, command({"AUTH", "bad"})) == "-ERR invalid password\r\n");
  CHECK(t.ask(client, command({"AUTH", "nobody", "new"})) == "-WRONGPASS invalid username-password pair\r\n");
  CHECK(t.ask(client, command({"AUTH", "default", "new"})) == "+OK\r\n");
  CHECK(t.ask(client, command({"PING"})) == "+PONG\r\n");
  CHECK(t.ask(client, command({"AUTH", "olde"})) == "-ERR invalid password\r\n");
  CHECK(t.ask(client, command({"PING"})) == "-NOAUTH Authentication required.\r\n");
  CHECK(t.ask(client, "*11\r\n") == "-downstream protocol error\r\n");
}

TEST_CASE("a host is told its password first, and one that refuses it is not used") {
  RedisTest t;
  auto auth = std::make_shared<upstream::cluster::RedisAuth>();
  auth->all = {"me", "secret"};
  t.config->redis_auth = auth;
  t.publish();
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  CHECK(t.asked() == command({"AUTH", "me", "secret"}) + command({"GET", "a"}));
  t.reply("-WRONGPASS no\r\n");
  CHECK(client.take() == "-upstream failure\r\n");
  CHECK(t.host.peer(0).isClosed());
}

TEST_CASE("the longest prefix of a key says where it goes and may be removed") {
  RedisTest t;
  Routes routes;
  Route route;
  route.prefix = "ab";
  route.remove_prefix = true;
  CHECK(routes.add(route));
  CHECK_FALSE(routes.add(route));
  Route longer;
  longer.prefix = "abc";
  CHECK(routes.add(longer));
  t.settings->routes = routes;
  TestPeer& client = t.connect();

  t.ask(client, command({"SET", "abx", "1"}) + command({"GET", "abcd"}));
  CHECK(t.asked() == command({"SET", "x", "1"}) + command({"GET", "abcd"}));
  CHECK(t.ask(client, command({"GET", "other"})).empty());
  t.reply("+OK\r\n+OK\r\n");
  CHECK(client.take() == "+OK\r\n+OK\r\n-no upstream host\r\n");
}

TEST_CASE("mirrors get copies and their answers are dropped") {
  RedisTest t;
  testing::TestUpstream other;
  t.hosts({other.address}, upstream::cluster::Health::kHealthy, 1);
  Route route;
  route.mirrors = {{1, {100, 100}, true}};
  t.settings->routes.setCatchAll(route);
  TestPeer& client = t.connect();

  t.ask(client, command({"SET", "a", "1"}) + command({"GET", "a"}));
  t.asked();
  CHECK(other.peer(0).take() == command({"SET", "a", "1"}));
  other.peer(0).send("-ERR other\r\n");
  t.reply("+OK\r\n$1\r\n1\r\n");
  CHECK(client.take() == "+OK\r\n$1\r\n1\r\n");
}

TEST_CASE("a mirror that takes nothing gets copies to a limit") {
  RedisTest t;
  testing::TestUpstream other;
  t.stats.rq_pending_overflow = t.registry.counter("overflow");
  t.publish();
  t.hosts({other.address}, upstream::cluster::Health::kHealthy, 1);
  Route route;
  route.mirrors = {{1, {100, 100}, false}};
  t.settings->routes.setCatchAll(route);
  TestPeer& client = t.connect();
  const std::string large = command({"SET", "a", std::string(100000, 'x')});
  for (int i = 0; i < 20; ++i) {
    t.ask(client, large);
    t.asked();
    t.reply("+OK\r\n");
  }
  CHECK(t.stat("overflow") > 0);
  CHECK(t.stat("overflow") < 10);
}

TEST_CASE("faults answer with an error, or late") {
  RedisTest t;
  t.settings->commands.at("get").faults = {{{100, 100}, 0ms, true}};
  t.settings->commands.at("set").faults = {{{100, 100}, 100ms, false}};
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"GET", "a"})) == "-Fault Injected: Error\r\n");

  t.ask(client, command({"SET", "a", "1"}));
  t.asked();
  t.reply("+OK\r\n");
  CHECK(client.take().empty());
  t.loop.pass(101ms);
  CHECK(client.take() == "+OK\r\n");
}

TEST_CASE("commands are gathered up to a size or for a while") {
  RedisTest t;
  t.settings->pool.flush_size = 1000;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();  // what waited for the connection goes at once
  t.ask(client, command({"GET", "b"}));
  CHECK(t.asked().empty());
  t.loop.pass(4ms);
  CHECK(t.asked() == command({"GET", "b"}));
}

TEST_CASE("a client that ends its side is answered what it asked") {
  RedisTest t;
  TestPeer& client = t.connect();
  std::string many;
  for (size_t i = 0; i < Session::kMaxCommands + 10; ++i) many += command({"GET", "a"});
  client.send(many);
  client.finish();
  t.loop.turn();
  std::string answers;
  for (size_t left = Session::kMaxCommands + 10; left > 0 && !client.closed;) {
    const std::string asked = t.asked();
    const size_t count = asked.size() / command({"GET", "a"}).size();
    REQUIRE(count > 0);
    std::string replies;  // in one piece: a socket takes few small ones
    for (size_t i = 0; i < count; ++i) replies += ":1\r\n";
    t.reply(replies);
    answers += client.take();
    left -= count;
  }
  for (int i = 0; i < 100 && !client.closed; ++i) {
    t.loop.turn();
    answers += client.take();
  }
  CHECK(answers.size() == (Session::kMaxCommands + 10) * 4);
  CHECK(client.isClosed());
}

TEST_CASE("what the proxy answers itself is answered to the last, however much comes at once") {
  RedisTest t;
  TestPeer& client = t.connect();
  constexpr size_t kCount = Session::kMaxCommands + 500;
  std::string many;
  for (size_t i = 0; i < kCount; ++i) many += command({"ECHO", "what-was-said"});
  REQUIRE(many.size() < net::WorkerBuffers::kReadSize);

  const size_t each = std::string_view("$13\r\nwhat-was-said\r\n").size();
  CHECK(t.ask(client, many).size() == kCount * each);
}

TEST_CASE("of a client's commands no more bytes are under way than its listener lets wait") {
  RedisTest t;
  t.buffer_limit = 1000;
  TestPeer& client = t.connect();
  const std::string large = command({"SET", "a", std::string(600, 'x')});
  t.ask(client, large + large + large);
  CHECK(t.asked() == large + large);

  t.reply("+OK\r\n");
  CHECK(client.take() == "+OK\r\n");
  CHECK(t.asked() == large);
  t.reply("+OK\r\n+OK\r\n");
  CHECK(client.take() == "+OK\r\n+OK\r\n");
}

TEST_CASE("QUIT and a drain close behind the last answer") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();
  t.list.front().drain();
  t.loop.turn();
  CHECK_FALSE(client.isClosed());
  t.reply("+1\r\n");
  CHECK(client.take() == "+1\r\n");
  CHECK(client.isClosed());

  TestPeer& other = t.connect();
  CHECK(t.ask(other, command({"QUIT"}) + command({"PING"})) == "+OK\r\n");
  CHECK(other.isClosed());
}

TEST_CASE("a host that left is waited for and gets nothing new") {
  RedisTest t;
  testing::TestUpstream next;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();
  t.hosts({next.address});
  t.loop.turn();
  t.ask(client, command({"GET", "b"}));
  CHECK(next.peer(0).take() == command({"GET", "b"}));
  CHECK(t.asked().empty());

  t.reply("+1\r\n");
  CHECK(client.take() == "+1\r\n");
  CHECK(t.host.peer(0).isClosed());
  next.peer(0).send("+2\r\n");
  t.loop.turn();
  CHECK(client.take() == "+2\r\n");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::redis_proxy
