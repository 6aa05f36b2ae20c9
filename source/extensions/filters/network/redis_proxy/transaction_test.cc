#include "source/extensions/filters/network/redis_proxy/transaction.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/network/redis_proxy/redirection.h"
#include "source/extensions/filters/network/redis_proxy/test_redis.h"

namespace sluice::extensions::network_filters::redis_proxy {
namespace {

using redis::command;
using testing::RedisTest;
using testing::TestPeer;

TEST_CASE("a transaction runs on a connection of its own from its first key on") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"MULTI"})) == "+OK\r\n");
  CHECK(t.ask(client, command({"MULTI"})) == "-MULTI calls can not be nested\r\n");
  t.ask(client, command({"SET", "a", "1"}));
  CHECK(t.asked() == command({"MULTI"}) + command({"SET", "a", "1"}));
  t.reply("+OK\r\n+QUEUED\r\n");
  CHECK(client.take() == "+QUEUED\r\n");

  t.ask(client, command({"EXEC"}));
  CHECK(t.asked() == command({"EXEC"}));
  t.reply("*1\r\n+OK\r\n");
  CHECK(client.take() == "*1\r\n+OK\r\n");
  CHECK(t.host.peer(0).isClosed());
}

TEST_CASE("nothing overtakes a transaction and it overtakes nothing") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"SET", "a", "0"}) + command({"WATCH", "a"}) + command({"GET", "a"}));
  CHECK(t.asked() == command({"SET", "a", "0"}));
  CHECK(t.host.accept() == 1);
  t.reply("+OK\r\n");
  CHECK(t.asked(1) == command({"WATCH", "a"}));
  CHECK(t.asked().empty());
  t.reply("+OK\r\n", 1);
  CHECK(t.asked() == command({"GET", "a"}));
  t.reply("$1\r\n0\r\n");
  CHECK(client.take() == "+OK\r\n+OK\r\n$1\r\n0\r\n");

  t.ask(client, command({"MULTI"}) + command({"SET", "a", "1"}) + command({"EXEC"}) + command({"GET", "a"}));
  CHECK(t.asked(1) == command({"MULTI"}) + command({"SET", "a", "1"}) + command({"EXEC"}));
  CHECK(t.asked().empty());
  t.reply("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", 1);
  CHECK(t.asked() == command({"GET", "a"}));
  t.reply("$1\r\n1\r\n");
  CHECK(client.take() == "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n1\r\n");
}

TEST_CASE("each transaction goes to the host of its own key") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"MULTI"}) + command({"SET", "a", "1"}) + command({"EXEC"}) + command({"MULTI"}) +
                    command({"SET", "b", "1"}));
  CHECK(t.asked() == command({"MULTI"}) + command({"SET", "a", "1"}) + command({"EXEC"}));
  t.reply("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  CHECK(t.asked(1) == command({"MULTI"}) + command({"SET", "b", "1"}));
  CHECK(t.host.peer(0).isClosed());
}

TEST_CASE("every key of a transaction goes by its route and loses its prefix") {
  RedisTest t;
  Route route;
  route.prefix = "p:";
  route.remove_prefix = true;
  CHECK(t.settings->routes.add(route));
  TestPeer& client = t.connect();
  t.ask(client, command({"WATCH", "p:a", "p:b"}));
  CHECK(t.asked() == command({"WATCH", "a", "b"}));
  t.reply("+OK\r\n");
  CHECK(client.take() == "+OK\r\n");

  t.ask(client, command({"MULTI"}) + command({"MSET", "p:a", "p:1", "p:b", "p:2"}) + command({"DEL", "p:a", "p:b"}));
  CHECK(t.asked() == command({"MULTI"}) + command({"MSET", "a", "p:1", "b", "p:2"}) + command({"DEL", "a", "b"}));
  t.reply("+OK\r\n+QUEUED\r\n+QUEUED\r\n");
  client.take();
  CHECK(t.ask(client, command({"MGET", "p:a", "other"})) ==
        "-ERR all keys of a transaction have to be of one route\r\n");
}

TEST_CASE("a refused key opens no connection") {
  RedisTest t;
  Route route;
  route.prefix = "p:";
  CHECK(t.settings->routes.add(route));
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"WATCH", "p:a", "other"})) ==
        "-ERR all keys of a transaction have to be of one route\r\n");
  CHECK(t.host.accept() == 0);
}

TEST_CASE("a host that refuses MULTI gets none of its commands for done") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"MULTI"}) + command({"SET", "a", "1"})) == "+OK\r\n");
  CHECK(t.asked() == command({"MULTI"}) + command({"SET", "a", "1"}));
  t.reply("-NOPERM no\r\n+OK\r\n");
  CHECK(client.take() == "-upstream failure\r\n");
  CHECK(t.host.peer(0).isClosed());
  CHECK(t.ask(client, command({"EXEC"})) == "-upstream failure\r\n");
}

TEST_CASE("a transaction without a key needs no host") {
  RedisTest t;
  TestPeer& client = t.connect();
  CHECK(t.ask(client, command({"EXEC"})) == "-EXEC without MULTI\r\n");
  CHECK(t.ask(client, command({"MULTI"}) + command({"EXEC"})) == "+OK\r\n*0\r\n");
  CHECK(t.ask(client, command({"MULTI"}) + command({"DISCARD"})) == "+OK\r\n+OK\r\n");
  CHECK(t.ask(client, command({"UNWATCH"})) == "+OK\r\n");
  CHECK(t.ask(client, command({"MULTI"}) + command({"EVAL", "x", "1", "a"})) ==
        "+OK\r\n-'EVAL' command is not supported within transaction\r\n");
}

TEST_CASE("a transaction whose host breaks fails as a whole") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"MULTI"}) + command({"SET", "a", "1"}));
  t.asked();
  t.reply("+OK\r\n+QUEUED\r\n");
  client.take();
  t.host.peer(0).close();
  t.loop.turn();

  CHECK(t.ask(client, command({"SET", "b", "1"})) == "-upstream failure\r\n");
  CHECK(t.ask(client, command({"EXEC"})) == "-upstream failure\r\n");
  CHECK(t.ask(client, command({"MULTI"})) == "+OK\r\n");
}

TEST_CASE("a watch that was lost fails the transaction that counts on it") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"WATCH", "a"}));
  CHECK(t.asked() == command({"WATCH", "a"}));
  t.reply("+OK\r\n");
  CHECK(client.take() == "+OK\r\n");
  t.host.peer(0).close();
  t.loop.turn();

  CHECK(t.ask(client, command({"MULTI"})) == "-upstream failure\r\n");
}

TEST_CASE("a client that goes takes its transaction along") {
  RedisTest t;
  TestPeer& client = t.connect();
  t.ask(client, command({"MULTI"}) + command({"SET", "a", "1"}));
  t.asked();
  client.close();
  t.reply("+OK\r\n+QUEUED\r\n");
  CHECK(t.host.peer(0).isClosed());
}

TEST_CASE("redirections name a host by its address") {
  const auto moved = redirectionOf("-MOVED 3999 127.0.0.1:6381\r\n");
  REQUIRE(moved);
  CHECK(moved->host.toString() == "127.0.0.1:6381");
  CHECK_FALSE(moved->asking);
  CHECK(redirectionOf("-ASK 1 ::1:80\r\n")->asking);
  for (const char* other :
       {"+MOVED 1 127.0.0.1:1\r\n", "-MOVED 1\r\n", "-MOVED 1 host:1\r\n", "-MOVED 1 127.0.0.1:0\r\n",
        "-MOVED 1 127.0.0.1:65536\r\n", "-MOVEDX 1 127.0.0.1:1\r\n", "-ERR x\r\n"}) {
    CAPTURE(other);
    CHECK_FALSE(redirectionOf(other));
  }
}

TEST_CASE("a redirection to an unknown host of an ordinary cluster is passed on") {
  RedisTest t;
  t.settings->pool.redirections = true;
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();
  t.reply("-MOVED 1 127.0.0.1:1\r\n");
  t.loop.pass(std::chrono::milliseconds(1));
  CHECK(client.take() == "-MOVED 1 127.0.0.1:1\r\n");
}

TEST_CASE("a redirection that nobody could follow is a failure of its command") {
  RedisTest t;
  t.settings->pool.redirections = t.settings->pool.command_stats = true;
  t.late_counters = std::make_shared<observability::LateCounters>();
  t.publish();
  TestPeer& client = t.connect();
  t.ask(client, command({"GET", "a"}));
  t.asked();

  t.reply("-MOVED 1 127.0.0.1:1\r\n");
  t.loop.pass(std::chrono::milliseconds(1));

  observability::Scope scope = t.registry.scope("cluster", "c");
  t.late_counters->show(scope, t.cells);
  CHECK(t.registry.valueOf("cluster.c.upstream_commands.get.total") == 1);
  CHECK(t.registry.valueOf("cluster.c.upstream_commands.get.failure") == 1);
}

}  // namespace
}  // namespace sluice::extensions::network_filters::redis_proxy
