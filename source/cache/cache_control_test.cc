#include "source/cache/cache_control.h"

#include <catch2/catch.hpp>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

ResponseDirectives response(testing::Fields fields) {
  return ResponseDirectives::of(testing::Response(fields).head);
}
RequestDirectives request(testing::Fields fields) {
  return RequestDirectives::of(testing::Request(fields).head);
}

TEST_CASE("directives are read from all fields, in any case and quoted") {
  const auto says = response({{"cache-control", "Public, MAX-AGE=\"60\" , ,s-maxage=30"},
                              {"cache-control", "stale-while-revalidate=5,stale-if-error = 6"}});

  CHECK(says.is_public);
  CHECK(says.max_age == seconds(60));
  CHECK(says.s_maxage == seconds(30));
  CHECK(says.stale_while_revalidate == seconds(5));
  CHECK(says.stale_if_error == seconds(6));
  CHECK_FALSE(says.no_store);
}

TEST_CASE("what stands in quotes is no directive") {
  const auto says = response({{"cache-control", "x=\"no-store, private\\\", no-cache\", max-age=1"}});

  CHECK_FALSE(says.no_store);
  CHECK_FALSE(says.is_private);
  CHECK_FALSE(says.no_cache);
  CHECK(says.max_age == seconds(1));
}

TEST_CASE("private and no-cache count with field names, too") {
  CHECK(response({{"cache-control", "private=\"set-cookie\""}}).is_private);
  CHECK(response({{"cache-control", "no-cache=\"a, b\""}}).no_cache);
}

TEST_CASE("what cannot be read stores nothing") {
  CHECK(response({{"cache-control", "max-age=60, x=\"open"}}).no_store);
  CHECK(request({{"cache-control", "x=\"open"}}).no_store);
  CHECK(request({{"cache-control", "x=\"open"}}).no_cache);
}

TEST_CASE("of two ages the smaller one counts, and one that is no number is 0") {
  CHECK(response({{"cache-control", "max-age=60, max-age=10"}}).max_age == seconds(10));
  CHECK(response({{"cache-control", "max-age=-1"}}).max_age == seconds(0));
  CHECK(response({{"cache-control", "max-age"}}).max_age == seconds(0));
  CHECK(response({{"cache-control", "max-age=99999999999999999999"}}).max_age == seconds(int64_t{1} << 31));
}

TEST_CASE("pragma counts where there is no cache-control") {
  CHECK(request({{"pragma", "No-Cache"}}).no_cache);
  CHECK_FALSE(request({{"pragma", "no-cache"}, {"cache-control", "max-age=1"}}).no_cache);
}

TEST_CASE("requests have directives of their own") {
  const auto says = request({{"cache-control", "only-if-cached, min-fresh=5, max-age=7, no-store"}});

  CHECK(says.only_if_cached);
  CHECK(says.no_store);
  CHECK(says.min_fresh == seconds(5));
  CHECK(says.max_age == seconds(7));
}

}  // namespace
}  // namespace sluice::cache
