#include "source/cache/store.h"

#include <catch2/catch.hpp>
#include <thread>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

using testing::Request;
using testing::stored;

constexpr size_t kSize = size_t{1} << 20;

std::shared_ptr<StoredResponse> answer(std::string body = "body") {
  return stored({{"cache-control", "max-age=60"}}, std::move(body));
}

struct Bed {
  bool put(const std::string& key, std::shared_ptr<StoredResponse> response, const VaryNames& vary = {},
           testing::Fields request = {}) {
    return store.put(key, store.ticket(key), vary, Request(request).head, std::move(response));
  }
  // Its body; "-": there is none.
  std::string get(const std::string& key, testing::Fields request = {}) {
    const auto found = store.find(key, Request(request).head);
    return found.response == nullptr ? "-" : *found.response->body;
  }
  Store store{kSize};
};

TEST_CASE("what was put is found until it is invalidated or replaced") {
  Bed bed;
  CHECK(bed.get("a") == "-");
  CHECK(bed.put("a", answer("1")));
  CHECK(bed.get("a") == "1");
  CHECK(bed.get("b") == "-");
  CHECK(bed.put("a", answer("2")));
  CHECK(bed.get("a") == "2");
  bed.store.invalidate("a");
  CHECK(bed.get("a") == "-");
  CHECK(bed.store.bytes() == 0);
}

TEST_CASE("an answer from before an invalidation is not stored") {
  Bed bed;
  const Store::Ticket before = bed.store.ticket("a");
  bed.store.invalidate("a");

  CHECK_FALSE(bed.store.put("a", before, {}, Request().head, answer()));
  CHECK(bed.get("a") == "-");
}

TEST_CASE("answers that vary are found by what their requests said") {
  Bed bed;
  bed.put("a", answer("en"), {"accept-language"}, {{"accept-language", "en"}});
  bed.put("a", answer("none"), {"accept-language"});

  CHECK(bed.get("a", {{"accept-language", "en"}, {"x", "y"}}) == "en");
  CHECK(bed.get("a") == "none");
  CHECK(bed.get("a", {{"accept-language", "de"}}) == "-");
  CHECK(bed.get("a", {{"accept-language", ""}}) == "-");
  CHECK(bed.store.find("a", Request().head).varies);
}

TEST_CASE("values that are joined are apart from values that stand alone") {
  Bed bed;
  bed.put("a", answer("two"), {"x"}, {{"x", "1"}, {"x", "2"}});

  CHECK(bed.get("a", {{"x", "1"}, {"x", "2"}}) == "two");
  CHECK(bed.get("a", {{"x", "1;1=2"}}) == "-");
  CHECK(bed.get("a", {{"x", "2"}, {"x", "1"}}) == "-");
}

TEST_CASE("answers that vary go together, and when they vary by something else") {
  Bed bed;
  bed.put("a", answer("en"), {"accept-language"}, {{"accept-language", "en"}});
  bed.store.invalidate("a");
  bed.put("a", answer("de"), {"accept-language"}, {{"accept-language", "de"}});
  CHECK(bed.get("a", {{"accept-language", "en"}}) == "-");

  bed.put("a", answer("x"), {"x"}, {{"x", "1"}});
  CHECK(bed.get("a", {{"accept-language", "de"}}) == "-");
  bed.put("a", answer("all"));
  CHECK(bed.get("a", {{"x", "1"}}) == "all");
}

TEST_CASE("it stays within its bytes, and what is too large is not taken") {
  Bed bed;
  CHECK_FALSE(bed.put("large", answer(std::string(kSize / Store::kLargestPart, 'x'))));
  for (int i = 0; i < 200; ++i) {
    CHECK(bed.put("key" + std::to_string(i), answer(std::string(10'000, 'x'))));
    CHECK(bed.store.bytes() <= kSize);
  }
  CHECK(bed.get("key199") != "-");
}

TEST_CASE("what is asked for again outlives a walk through many addresses") {
  Bed bed;
  for (int i = 0; i < 20; ++i) {
    bed.put("used" + std::to_string(i), answer(std::string(1000, 'x')));
    bed.get("used" + std::to_string(i));
  }

  for (int i = 0; i < 3000; ++i) bed.put("walk" + std::to_string(i), answer(std::string(1000, 'x')));

  int left = 0;
  for (int i = 0; i < 20; ++i) left += bed.get("used" + std::to_string(i)) != "-";
  CHECK(left == 20);
}

TEST_CASE("bodies on their way in are bounded together") {
  Store store(kSize);
  CHECK(store.reserve(kSize / Store::kIncomingPart));
  CHECK_FALSE(store.reserve(1));
  store.release(kSize / Store::kIncomingPart);
  CHECK(store.reserve(1));
}

TEST_CASE("workers use it together") {
  Bed bed;
  std::vector<std::thread> workers;
  std::atomic<int> wrong{0};
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&bed, &wrong, worker] {
      for (int i = 0; i < 3000; ++i) {
        const std::string key = "k" + std::to_string((i * 7 + worker) % 50);
        if (i % 5 == 0) bed.store.invalidate(key);
        if (i % 3 == 0) bed.put(key, answer(key + std::string(3000, 'x')), i % 2 ? VaryNames{"x"} : VaryNames{});
        const std::string body = bed.get(key);
        if (body != "-" && body.substr(0, key.size()) != key) ++wrong;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  CHECK(bed.store.bytes() <= kSize);
}

TEST_CASE("vary names fields once each, and everything is too much") {
  const auto names = [](testing::Fields fields) { return varyOf(testing::Response(fields).head); };
  CHECK(names({}) == VaryNames{});
  CHECK(names({{"vary", "Origin, accept"}, {"vary", "origin"}}) == VaryNames{"accept", "origin"});
  CHECK(names({{"vary", "accept, *"}}) == std::nullopt);
  std::string many;
  for (int i = 0; i < 17; ++i) many += "x" + std::to_string(i) + ",";
  CHECK(names({{"vary", many}}) == std::nullopt);
}

}  // namespace
}  // namespace sluice::cache
