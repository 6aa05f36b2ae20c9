// Stored answers, and those on their way, that are purged.
#include <catch2/catch.hpp>

#include "source/extensions/filters/http/cache/test_site.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using namespace std::chrono_literals;
using By = cache::Purge::By;

const std::string kTagged =
    "typed_config: {\"@type\": type.googleapis.com/sluice.extensions.caches.memory.v1.MemoryCache, tag_headers: "
    "[X-Tags]}\n";

TEST_CASE("stored answers are purged by URL, by prefix and by the tags that they have") {
  Site site("allowed_vary_headers: [{exact: accept}]");
  const Fields tagged = {{"cache-control", "max-age=60"}, {"cache-tag", "news, sport"}, {"vary", "accept"}};
  site.fill("/a?x=1", tagged, "xml", {{"accept", "xml"}});
  site.fill("/a?x=1", tagged, "json", {{"accept", "json"}});
  site.fill("/a?x=1", kFresh, "other", {{"origin", "http://b.example"}});
  site.fill("/b", {{"cache-control", "max-age=60"}, {"surrogate-key", "news"}});

  CHECK(site.purge(By::kAddress, "a.example/a") == 0);
  CHECK(site.purge(By::kAddress, "A.example:80/a?x=1") == 3);
  CHECK_FALSE(site.hits("/a?x=1", {{"accept", "xml"}}));
  CHECK(site.hits("/b"));
  CHECK(site.purge(By::kTag, "news") == 1);
  CHECK_FALSE(site.hits("/b"));

  site.trips.clear();
  site.fill("/b");
  CHECK(site.purge(By::kPrefix, "a.example/") == 1);
}

TEST_CASE("tags stand in the fields that the configuration names") {
  Site site("", forwardingTable(), kTagged);
  site.fill("/a", {{"cache-control", "max-age=60"}, {"x-tags", "one"}, {"cache-tag", "two"}});

  CHECK(site.purge(By::kTag, "two") == 0);
  CHECK(site.purge(By::kTag, "one") == 1);
}

TEST_CASE("an answer that is purged by what is not known is not stored") {
  Site site;
  std::string tags;
  for (int i = 0; i <= 1000; ++i) tags += std::to_string(i) + " ";
  site.fill("/a", {{"cache-control", "max-age=60"}, {"cache-tag", tags}});
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("an answer that was asked for before a purge is not stored after it") {
  Site site;
  const auto [by, text] = GENERATE(
      table<By, std::string_view>({{By::kAddress, "a.example/a"}, {By::kPrefix, "a.exam"}, {By::kTag, "news"}}));
  Trip& old = site.open("/a");
  old.respond(200, {{"cache-control", "max-age=60"}, {"cache-tag", "news"}}, false);
  Trip& other = site.open("/b");
  CHECK(site.purge(by, text) == 0);
  Trip& waiter = site.open("/a");
  CHECK_FALSE(waiter.forwarded());

  old.runner->responseData("old", true);
  other.answer(kFresh, "b");
  site.worker.loop.turn();

  CHECK(old.client.body == "old");
  REQUIRE(waiter.forwarded());
  waiter.answer({{"cache-control", "max-age=60"}, {"cache-tag", "news"}}, "new");
  CHECK(site.open("/a").client.body == "new");
  CHECK(site.hits("/b") == (by != By::kPrefix));
}

TEST_CASE("what is being validated when a purge comes is not made good again") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& validated = site.open("/a");
  Trip& waiter = site.open("/a");
  CHECK(site.purge(By::kAddress, "a.example/a") == 1);
  validated.answer({{"cache-control", "max-age=60"}}, "", 304);
  site.worker.loop.turn();

  CHECK(validated.client.body == "body");
  REQUIRE(waiter.forwarded());
  CHECK(waiter.sent("if-none-match") == "(none)");
  CHECK_FALSE(site.hits("/a", {{"cache-control", "max-age=1"}}));
}

TEST_CASE("where the key leaves out hosts or parameters, purges leave them out, too") {
  Site site("key_creator_params: {exclude_host: true, query_parameters_excluded: [{name: utm}]}");
  site.fill("/a?utm=1");
  CHECK(site.purge(By::kAddress, "b.example/a?utm=2") == 1);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::cache
