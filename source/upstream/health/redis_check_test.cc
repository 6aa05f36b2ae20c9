// Hosts that are asked as those of Redis.
#include "source/redis/resp.h"
#include "source/upstream/health/test_checks.h"

namespace sluice::upstream::health {
namespace {

using redis::command;

struct RedisCheckTest : ChecksTest {
  explicit RedisCheckTest(const std::string& key = {})
      : ChecksTest(1, [&key](auto& check) {
          check.kind = HealthCheckConfig::Kind::kRedis;
          check.redis_key = key;
        }) {}
  // The question that is there, answered.
  std::string reply(std::string_view bytes, size_t connection = 0) {
    std::string question = peer(connection).take();
    peer(connection).send(bytes);
    turn();
    return question;
  }
};

TEST_CASE("a host of Redis is well that answers PING, asked again over the same connection") {
  RedisCheckTest t;
  t.start();
  CHECK(t.reply("+PONG\r\n") == command({"PING"}));
  CHECK(t.healthy());

  t.pass(5s);
  CHECK(t.reply("-LOADING Redis is loading the dataset in memory\r\n") == command({"PING"}));
  CHECK_FALSE(t.healthy());
  CHECK(t.connections() == 1);
}

TEST_CASE("what a host says unasked is no answer to the next question") {
  RedisCheckTest t;
  t.start();
  t.reply("+PONG\r\n+PONG\r\n");
  CHECK(t.healthy());

  t.pass(5s);
  CHECK(t.connections() == 2);
  CHECK(t.reply("-LOADING\r\n", 1) == command({"PING"}));
  CHECK_FALSE(t.healthy());
}

TEST_CASE("a key that exists says that a host is not well") {
  RedisCheckTest t("down");
  t.start();
  CHECK(t.reply(":0\r\n") == command({"EXISTS", "down"}));
  CHECK(t.healthy());

  t.pass(5s);
  t.reply(":1\r\n");
  CHECK_FALSE(t.healthy());
}

TEST_CASE("what is no answer of Redis is no connection") {
  RedisCheckTest t;
  t.start();
  t.reply("HTTP/1.1 400 Bad Request\r\n\r\n");
  CHECK_FALSE(t.healthy());
  CHECK(t.peer(0).isClosed());
}

}  // namespace
}  // namespace sluice::upstream::health
