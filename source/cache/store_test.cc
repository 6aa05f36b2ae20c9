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

using Put = Store::Put;
using By = Purge::By;

// A key is its address, and a number behind '#' where there are several.
Store::Name nameOf(const std::string& key) {
  return {"a" + key.substr(0, key.find('#')), key};
}

struct Bed {
  bool put(const std::string& key, std::shared_ptr<StoredResponse> response, const VaryNames& vary = {},
           testing::Fields request = {}, Labels tags = {}) {
    return store.put(nameOf(key), store.ticket(nameOf(key)), vary, Request(request).head, std::move(response),
                     std::move(tags)) == Put::kStored;
  }
  bool putTagged(const std::string& key, const std::string& tags) {
    return put(key, answer(key), {}, {}, tagsOf(tags));
  }
  static Labels tagsOf(const std::string& tags) {
    Labels out;
    CHECK(addTags(testing::Response({{"cache-tag", tags}}).head, {"cache-tag"}, out));
    return out;
  }
  size_t purge(Purge::By by, std::string_view text) { return store.purge({by, text}); }
  // Its body; "-": there is none.
  std::string get(const std::string& key, testing::Fields request = {}) {
    const auto found = store.find(nameOf(key), Request(request).head);
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
  bed.store.invalidate(nameOf("a"));
  CHECK(bed.get("a") == "-");
  CHECK(bed.store.bytes() == 0);
}

TEST_CASE("an answer from before an invalidation is not stored") {
  Bed bed;
  const Store::Ticket before = bed.store.ticket(nameOf("a"));
  bed.store.invalidate(nameOf("a"));

  CHECK(bed.store.put(nameOf("a"), before, {}, Request().head, answer(), {}) == Put::kOutOfDate);
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
  CHECK(bed.store.find(nameOf("a"), Request().head).varies);
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
  bed.store.invalidate(nameOf("a"));
  bed.put("a", answer("de"), {"accept-language"}, {{"accept-language", "de"}});
  CHECK(bed.get("a", {{"accept-language", "en"}}) == "-");

  bed.put("a", answer("x"), {"x"}, {{"x", "1"}});
  CHECK(bed.get("a", {{"accept-language", "de"}}) == "-");
  bed.put("a", answer("all"));
  CHECK(bed.get("a", {{"x", "1"}}) == "all");
}

TEST_CASE("what is at an address goes together, whatever the keys and what answers depend on") {
  Bed bed;
  bed.put("h/x#1", answer("en"), {"accept-language"}, {{"accept-language", "en"}});
  bed.put("h/x#1", answer("de"), {"accept-language"}, {{"accept-language", "de"}});
  bed.put("h/x#2", answer("other key"));
  bed.put("h/xy", answer("other address"));
  const auto before = bed.store.ticket(nameOf("h/x#3"));

  CHECK((GENERATE(true, false) ? bed.purge(By::kAddress, "h/x") : bed.store.invalidateAddress("ah/x")) == 3);

  CHECK(bed.get("h/x#1", {{"accept-language", "en"}}) == "-");
  CHECK_FALSE(bed.store.find(nameOf("h/x#1"), Request().head).varies);
  CHECK(bed.get("h/x#2") == "-");
  CHECK(bed.get("h/xy") == "other address");
  CHECK(bed.purge(By::kAddress, "h/x") == 0);
  CHECK(bed.store.put(nameOf("h/x#3"), before, {}, Request().head, answer(), {}) == Put::kOutOfDate);
  bed.store.invalidate(nameOf("h/xy"));
  CHECK(bed.store.bytes() == 0);
}

TEST_CASE("a purge takes addresses that begin alike, or what has a tag") {
  Bed bed;
  bed.putTagged("h/a/1", "news,sport");
  bed.putTagged("h/a/2", "news");
  bed.putTagged("h/b", "newspaper");
  bed.putTagged("i/a/1", "sport news");

  CHECK(bed.purge(By::kPrefix, "h/a/") == 2);
  CHECK(bed.get("h/a/1") == "-");
  CHECK(bed.get("h/b") == "h/b");
  CHECK(bed.purge(By::kTag, "news") == 1);
  CHECK(bed.get("h/b") == "h/b");
  CHECK(bed.get("i/a/1") == "-");
}

TEST_CASE("of answers that vary those go that have the tag") {
  Bed bed;
  bed.put("a", answer("en"), {"x"}, {{"x", "en"}}, {"tone"});
  bed.put("a", answer("de"), {"x"}, {{"x", "de"}}, {"ttwo"});

  CHECK(bed.purge(By::kTag, "one") == 1);

  CHECK(bed.get("a", {{"x", "en"}}) == "-");
  CHECK(bed.get("a", {{"x", "de"}}) == "de");
}

TEST_CASE("a purge takes many") {
  Bed bed;
  for (int i = 0; i < 1000; ++i) bed.putTagged("h/" + std::to_string(i % 500) + "#" + std::to_string(i), "all");
  CHECK(bed.purge(By::kTag, "all") == 1000);
  CHECK(bed.store.bytes() == 0);
  for (int i = 0; i < 500; ++i) bed.put("h/#" + std::to_string(i), answer());
  CHECK(bed.store.invalidateAddress("ah/") == 500);
}

TEST_CASE("an answer from before a purge that takes it is not stored") {
  Bed bed;
  const auto ticket = bed.store.ticket(nameOf("h/a/b"));
  bed.purge(By::kTag, "news");
  const auto put = [&](const std::string& tags) {
    return bed.store.put(nameOf("h/a/b"), ticket, {}, Request().head, answer(), Bed::tagsOf(tags));
  };

  CHECK(put("news") == Put::kOutOfDate);
  CHECK(put("sport") == Put::kStored);
  bed.purge(By::kPrefix, "h/a");
  CHECK(put("sport") == Put::kOutOfDate);
  CHECK(bed.putTagged("h/a/b", "news"));
}

TEST_CASE("an answer from before more purges than are known is not stored") {
  Bed bed;
  const auto ticket = bed.store.ticket(nameOf("a"));
  for (size_t i = 0; i < PurgeLog::kKept; ++i) bed.purge(By::kTag, "x");
  const auto put = [&] { return bed.store.put(nameOf("a"), ticket, {}, Request().head, answer(), {}); };

  CHECK(put() == Put::kStored);
  bed.purge(By::kTag, "x");
  CHECK(put() == Put::kOutOfDate);
}

TEST_CASE("tags count, and go with their answers") {
  Bed bed;
  bed.putTagged("a", "");
  const size_t without = bed.store.bytes();
  bed.putTagged("a", std::string(1000, 'x'));
  CHECK(bed.store.bytes() > without + 1000);

  bed.putTagged("a", "new");
  CHECK(bed.purge(By::kTag, std::string(1000, 'x')) == 0);
  CHECK(bed.purge(By::kTag, "new") == 1);
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
        if (i % 5 == 0) bed.store.invalidate(nameOf(key));
        if (i % 7 == 0) bed.purge(By::kPrefix, key);
        if (i % 3 == 0) {
          bed.put(key, answer(key + std::string(3000, 'x')), i % 2 ? VaryNames{"x"} : VaryNames{}, {},
                  {"t" + key.substr(0, 2)});
        }
        const std::string body = bed.get(key);
        if (body != "-" && body.substr(0, key.size()) != key) ++wrong;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  bed.purge(By::kPrefix, "k");
  for (int i = 0; i < 50; ++i) CHECK(bed.get("k" + std::to_string(i)) == "-");
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
