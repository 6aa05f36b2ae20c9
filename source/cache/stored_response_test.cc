#include "source/cache/stored_response.h"

#include <catch2/catch.hpp>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

using testing::exchangeAt;
using testing::kNow;
using testing::Response;
using testing::stored;

bool keeps(testing::Fields fields, uint16_t status = 200, Exchange exchange = exchangeAt()) {
  return storable(Response(fields, status).head, exchange) != nullptr;
}

TEST_CASE("what says how long it is good is kept, and nothing is guessed") {
  CHECK(keeps({{"cache-control", "max-age=60"}}));
  CHECK(keeps({{"cache-control", "s-maxage=60"}}));
  CHECK(keeps({{"date", "Thu, 01 Jan 2026 00:00:00 GMT"}, {"expires", "Thu, 01 Jan 2026 00:01:00 GMT"}}));
  CHECK_FALSE(keeps({}));
  CHECK_FALSE(keeps({{"last-modified", "Thu, 01 Jan 2020 00:00:00 GMT"}}));
  CHECK_FALSE(keeps({{"cache-control", "public"}}));
}

TEST_CASE("what is never fresh is kept if it can be validated") {
  CHECK_FALSE(keeps({{"cache-control", "max-age=0"}}));
  CHECK(keeps({{"cache-control", "max-age=0"}, {"etag", "\"a\""}}));
  CHECK(keeps({{"cache-control", "no-cache"}, {"last-modified", "Thu, 01 Jan 2020 00:00:00 GMT"}}));
  CHECK_FALSE(keeps({{"cache-control", "no-cache"}}));
  CHECK_FALSE(keeps({{"expires", "0"}}));
}

TEST_CASE("what is for one client only is not kept") {
  CHECK_FALSE(keeps({{"cache-control", "max-age=60, private"}}));
  CHECK_FALSE(keeps({{"cache-control", "max-age=60, private=\"x\""}}));
  CHECK_FALSE(keeps({{"cache-control", "max-age=60, no-store"}}));
  CHECK_FALSE(keeps({{"cache-control", "public, max-age=60"}, {"set-cookie", "a=b"}}));
}

TEST_CASE("an answer to who has shown who he is needs a word that it is for all") {
  Exchange exchange = exchangeAt();
  exchange.authorized = true;

  CHECK_FALSE(keeps({{"cache-control", "max-age=60"}}, 200, exchange));
  CHECK(keeps({{"cache-control", "max-age=60, public"}}, 200, exchange));
  CHECK(keeps({{"cache-control", "s-maxage=60"}}, 200, exchange));
  CHECK(keeps({{"cache-control", "max-age=60, must-revalidate"}}, 200, exchange));
  CHECK_FALSE(stored({{"cache-control", "max-age=60"}})->for_authorized);
}

TEST_CASE("a request that asks not to be stored is not") {
  Exchange exchange = exchangeAt();
  exchange.no_store = true;

  CHECK_FALSE(keeps({{"cache-control", "max-age=60"}}, 200, exchange));
}

TEST_CASE("answers that depend on how a request was made are not kept") {
  for (const uint16_t status : {203, 204, 300, 301, 308, 404, 410, 451}) {
    CHECK(keeps({{"cache-control", "max-age=60"}}, status));
  }
  for (const uint16_t status : {101, 206, 302, 304, 307, 400, 403, 405, 413, 414, 431, 500, 501, 503}) {
    CHECK_FALSE(keeps({{"cache-control", "max-age=60"}}, status));
  }
  CHECK_FALSE(keeps({{"cache-control", "max-age=60"}, {"content-range", "bytes 0-1/2"}}));
}

TEST_CASE("a body that only the end of a connection of HTTP/1.0 ends is not kept") {
  Response response({{"cache-control", "max-age=60"}});
  response.head.protocol = http::Protocol::kHttp10;

  CHECK(storable(response.head, exchangeAt()) == nullptr);
  response.head.add("content-length", "1");
  CHECK(storable(response.head, exchangeAt()) != nullptr);
}

TEST_CASE("s-maxage counts before max-age, and that before expires") {
  CHECK(stored({{"cache-control", "max-age=60, s-maxage=30"}})->lifetime == seconds(30));
  CHECK(stored({{"cache-control", "max-age=60"}, {"expires", "0"}})->lifetime == seconds(60));
  CHECK(stored({{"expires", "Thu, 01 Jan 2026 00:01:00 GMT"}})->lifetime == seconds(60));
}

TEST_CASE("an age is what the answer had when it came, and the time since") {
  const auto old = stored({{"cache-control", "max-age=60"}, {"age", "20"}});
  CHECK(old->ageAt(kNow) == seconds(20));
  CHECK(old->ageAt(kNow + seconds(5)) == seconds(25));
  CHECK(old->freshFor(kNow + seconds(5)) == seconds(35));

  const auto dated = stored({{"cache-control", "max-age=60"}, {"date", "Wed, 31 Dec 2025 23:59:30 GMT"}});
  CHECK(dated->initial_age == seconds(30));

  Exchange slow = exchangeAt();
  slow.requested -= seconds(3);
  CHECK(storable(Response({{"cache-control", "max-age=60"}, {"age", "20"}}).head, slow)->initial_age == seconds(23));
  CHECK_FALSE(keeps({{"cache-control", "max-age=60"}, {"age", "60"}}));
  CHECK_FALSE(keeps({{"cache-control", "max-age=60"}, {"age", "x"}}));
}

TEST_CASE("requests say how fresh an answer has to be") {
  const auto response = stored({{"cache-control", "max-age=60"}, {"age", "20"}});

  CHECK(response->serves({}, kNow));
  CHECK(response->serves({}, kNow + seconds(39)));
  CHECK_FALSE(response->serves({}, kNow + seconds(40)));
  CHECK_FALSE(response->serves({.no_cache = true}, kNow));
  CHECK(response->serves({.max_age = seconds(20)}, kNow));
  CHECK_FALSE(response->serves({.max_age = seconds(19)}, kNow));
  CHECK(response->serves({.min_fresh = seconds(40)}, kNow));
  CHECK_FALSE(response->serves({.min_fresh = seconds(41)}, kNow));
  CHECK_FALSE(stored({{"cache-control", "max-age=60, no-cache"}, {"etag", "\"a\""}})->serves({}, kNow));
}

TEST_CASE("stale answers are served as far as they allow it themselves") {
  const auto response = stored({{"cache-control", "max-age=60, stale-if-error=30"}});
  CHECK(response->staleWithin(response->stale_if_error, kNow + seconds(89)));
  CHECK_FALSE(response->staleWithin(response->stale_if_error, kNow + seconds(90)));
  CHECK_FALSE(response->staleWithin(response->stale_while_revalidate, kNow + seconds(60)));

  for (const char* rule : {"must-revalidate, max-age=60", "proxy-revalidate, max-age=60", "s-maxage=60"}) {
    Response strict({{"cache-control", rule}, {"cache-control", "stale-if-error=30, stale-while-revalidate=30"}});
    const auto kept = storable(strict.head, exchangeAt());
    CHECK(kept->stale_if_error == seconds(0));
    CHECK(kept->stale_while_revalidate == seconds(0));
  }
}

TEST_CASE("what is about the way or one request is not kept with it") {
  const auto response = stored({{"cache-control", "max-age=60"},
                                {"content-type", "text/html"},
                                {"content-length", "10"},
                                {"age", "1"},
                                {"connection", "close"},
                                {"x-request-id", "1"},
                                {"x-envoy-upstream-service-time", "1"},
                                {"proxy-authenticate", "x"},
                                {"cache-status", "other; hit"}});

  REQUIRE(response->headers.size() == 2);
  CHECK(response->headers[1].first == "content-type");
}

TEST_CASE("a 304 renews the head, but nothing that describes the body") {
  const auto before = stored({{"cache-control", "max-age=60"},
                              {"etag", "\"a\""},
                              {"date", "Wed, 31 Dec 2025 23:00:00 GMT"},
                              {"content-type", "text/html"},
                              {"x-a", "1"},
                              {"x-b", "1"}});
  Response not_modified({{"cache-control", "max-age=90"}, {"content-type", "text/evil"}, {"x-a", "2"}, {"x-a", "3"}},
                        304);
  http::ResponseHeaders out(not_modified.arena);

  refresh(*before, not_modified.head, out);

  CHECK(out.status == 200);
  CHECK(out.get("cache-control") == "max-age=90");
  CHECK(out.get("content-type") == "text/html");
  CHECK(out.getAll("x-a") == "2,3");
  CHECK(out.get("x-b") == "1");
  CHECK_FALSE(out.get("date"));
}

TEST_CASE("a 304 with another etag is of another answer") {
  const auto before = stored({{"cache-control", "max-age=60"}, {"etag", "\"a\""}});

  CHECK_FALSE(isOfAnother(*before, Response({}, 304).head));
  CHECK_FALSE(isOfAnother(*before, Response({{"etag", "W/\"a\""}}, 304).head));
  CHECK(isOfAnother(*before, Response({{"etag", "\"b\""}}, 304).head));
}

}  // namespace
}  // namespace sluice::cache
