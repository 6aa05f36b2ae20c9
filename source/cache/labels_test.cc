#include "source/cache/labels.h"

#include <catch2/catch.hpp>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

// Whether what is stored at an address is purged.
bool takes(Purge::By by, std::string_view text, std::string_view authority, std::string_view path,
           const Addressing& addressing) {
  return Selector::of({by, text}, addressing).takes(addressLabel(addressing, authority, path));
}

bool url(std::string_view text, std::string_view authority, std::string_view path, const Addressing& addressing = {}) {
  return takes(Purge::By::kAddress, text, authority, path, addressing);
}

bool prefix(std::string_view text, std::string_view authority, std::string_view path,
            const Addressing& addressing = {}) {
  return takes(Purge::By::kPrefix, text, authority, path, addressing);
}

Labels tagsOf(testing::Fields fields) {
  Labels out;
  REQUIRE(addTags(testing::Response(fields).head, {"cache-tag", "surrogate-key"}, out));
  return out;
}

TEST_CASE("an address is its host and its path, however they are spelled") {
  CHECK(url("a.example/x?y=1", "a.example", "/x?y=1"));
  CHECK(url("A.example:80/x", "a.EXAMPLE.:8080", "/x"));
  CHECK(url("[::1]:80/x", "[::1]", "/x"));
  CHECK(url("a.example/a b", "a.example", "/%61%20b"));
  CHECK(url("a.example", "a.example", "/"));
  CHECK(url("a.example?y", "a.example", "/?y"));

  CHECK_FALSE(url("a.example/x", "a.example", "/x?y=1"));
  CHECK_FALSE(url("a.example/x", "a.example", "/X"));
  CHECK_FALSE(url("a.example/x", "b.example", "/x"));
  CHECK_FALSE(url("a.example", "a.example", "/x"));
}

TEST_CASE("a prefix may end anywhere") {
  CHECK(prefix("a.example/im", "a.example:8080", "/images/1?y"));
  CHECK(prefix("a.example/x?y", "a.example", "/x?yz"));
  CHECK(prefix("A.exam", "a.example", "/x"));
  CHECK(prefix("a.example:80", "a.example", "/x"));
  CHECK_FALSE(prefix("a.example/", "a.example.org", "/x"));
  CHECK_FALSE(prefix("a.example/images/", "a.example", "/images"));
}

TEST_CASE("what a store does not tell apart is purged together") {
  const Addressing no_host{.host = false};
  CHECK(url("b.example/x", "a.example", "/x", no_host));
  CHECK(prefix("b.example/x", "a.example", "/xy", no_host));
  CHECK(prefix("b.exam", "a.example", "/xy", no_host));
  CHECK_FALSE(url("b.example/x", "a.example", "/y", no_host));

  const Addressing first{.query = [](std::string_view query) { return "?" + std::string(query.substr(0, 1)); }};
  CHECK(url("a.example/x?y=1", "a.example", "/x?y=2", first));
  CHECK_FALSE(url("a.example/x?y=1", "a.example", "/x?z=1", first));
  CHECK_FALSE(url("a.example/x", "a.example", "/x?y=1", first));
  CHECK(prefix("a.example/x?y=1", "a.example", "/xz", first));
}

TEST_CASE("tags stand in lists of any form, each counts once") {
  CHECK(tagsOf({{"cache-tag", "b, a b\ta,,"}, {"x", "y"}, {"surrogate-key", " c "}}) == Labels{"ta", "tb", "tc"});
  CHECK(tagsOf({{"cache-tag", " , "}}).empty());
  CHECK(Selector::of({Purge::By::kTag, "a"}, {}).takesAny({"aa", "ta", "tb"}));
  CHECK_FALSE(Selector::of({Purge::By::kTag, "a"}, {}).takesAny({"aa", "tab"}));
}

TEST_CASE("tags have a bound") {
  std::string tags;
  for (size_t i = 0; i < kMaxTags; ++i) tags += "t" + std::to_string(i) + " ";
  Labels out{"ah/"};
  CHECK(addTags(testing::Response({{"cache-tag", tags}}).head, {"cache-tag"}, out));
  CHECK(out.size() == kMaxTags + 1);
  CHECK(out.front() == "ah/");
  CHECK_FALSE(addTags(testing::Response({{"cache-tag", tags + "x"}}).head, {"cache-tag"}, out));
}

}  // namespace
}  // namespace sluice::cache
