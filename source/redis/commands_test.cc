#include "source/redis/commands.h"

#include <catch2/catch.hpp>

#include "source/redis/key_slot.h"

namespace sluice::redis {
namespace {

TEST_CASE("commands are found by their names") {
  for (const Command& command : commands()) CHECK(findCommand(command.name) == &command);
  CHECK(findCommand("subscribe") == nullptr);
  CHECK(findCommand("") == nullptr);
  CHECK(findCommand("GET") == nullptr);
}

TEST_CASE("only what changes nothing may go to a replica") {
  for (const char* name : {"get", "hgetall", "zrange", "exists", "mget"}) CHECK_FALSE(findCommand(name)->writes);
  for (const char* name : {"set", "getex", "getset", "xadd", "geoadd", "eval", "sort", "publish", "del"}) {
    CHECK(findCommand(name)->writes);
  }
}

// Values of `CLUSTER KEYSLOT`.
TEST_CASE("keys have the slots of Redis Cluster") {
  CHECK(keySlot("123456789") == 12739);
  CHECK(keySlot("foo") == 12182);
  CHECK(keySlot("") == 0);
}

TEST_CASE("of a key with braces what is in the first pair counts") {
  CHECK(hashTag("{user1000}.following") == "user1000");
  CHECK(hashTag("foo{}{bar}") == "foo{}{bar}");
  CHECK(hashTag("foo{{bar}}zap") == "{bar");
  CHECK(hashTag("foo{bar}{zap}") == "bar");
  CHECK(hashTag("foo{bar") == "foo{bar");
  CHECK(keySlot("{foo}x") == keySlot("foo"));
}

}  // namespace
}  // namespace sluice::redis
