#include "source/filter/credentials/key_table.h"

#include <catch2/catch.hpp>

#include <string>

#include "source/base/text.h"

namespace sluice::filter {
namespace {

TEST_CASE("a digest is SHA-256") {
  const KeyDigest digest = digestOf("abc");

  CHECK(digest[0] == 0xba);
  CHECK(digest[1] == 0x78);
  CHECK(digest[31] == 0xad);
  CHECK(sameDigest(digest, digestOf("abc")));
  CHECK_FALSE(sameDigest(digest, digestOf("abd")));
}

TEST_CASE("digests that differ in any byte are different") {
  for (size_t i = 0; i < std::tuple_size_v<KeyDigest>; ++i) {
    KeyDigest other = digestOf("abc");
    other[i] ^= 1;
    CHECK_FALSE(sameDigest(other, digestOf("abc")));
  }
}

TEST_CASE("a table finds each of its keys, and no other") {
  KeyTable<int> table;
  for (int i = 0; i < 1000; ++i) table[digestOf(base::strCat("key", i))] = i;

  for (int i = 0; i < 1000; ++i) CHECK(table.at(digestOf(base::strCat("key", i))) == i);
  CHECK_FALSE(table.contains(digestOf("key1000")));
  CHECK_FALSE(table.contains(digestOf("")));
}

}  // namespace
}  // namespace sluice::filter
