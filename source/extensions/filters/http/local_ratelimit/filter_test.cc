#include "source/extensions/filters/http/local_ratelimit/filter.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::local_ratelimit {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kAlways = 1'000'000;
const TokenBucket::TimePoint kStart{std::chrono::hours(5)};

Settings settings(uint32_t max_tokens, uint32_t enabled = kAlways, uint32_t enforced = kAlways) {
  Settings out;
  out.bucket = std::make_unique<TokenBucket>(max_tokens, 1, seconds(1));
  out.enabled = {enabled, 1'000'000};
  out.enforced = {enforced, 1'000'000};
  out.stats = {{1}, {2}, {3}, {4}};
  return out;
}

struct Result {
  uint16_t status;  // 0: it went on
  Fields client, upstream;
  std::vector<int> counts;  // enabled, enforced, rate_limited, ok
};

Result send(const std::shared_ptr<const filter::HttpFilterFactory>& factory, TokenBucket::TimePoint now = kStart,
            std::shared_ptr<const route::PerFilterConfig> route = nullptr, uint64_t random = 0) {
  Harness h({factory}, {std::move(route)});
  h.stream.info().start = now;
  h.stream.next_random = random;
  h.request("GET", {}, true);
  return {h.client.status,
          h.client.headers,
          h.terminal.headers,
          {h.counted({1}), h.counted({2}), h.counted({3}), h.counted({4})}};
}

TEST_CASE("a bucket gives what it holds and then what time brings, never more than it can hold") {
  TokenBucket bucket(3, 2, seconds(1));
  auto taken = [&](milliseconds at) {
    int count = 0;
    while (bucket.take(kStart + at)) ++count;
    return count;
  };
  CHECK(taken(milliseconds(0)) == 3);
  CHECK(taken(milliseconds(499)) == 0);
  CHECK(taken(milliseconds(500)) == 1);
  CHECK(taken(milliseconds(1250)) == 1);
  CHECK(taken(milliseconds(1500)) == 1);  // the fraction was kept
  CHECK(taken(milliseconds(60'000)) == 3);
  CHECK(taken(milliseconds(59'000)) == 0);  // another worker's older clock
}

TEST_CASE("the limit holds for the process when four workers take") {
  TokenBucket bucket(1000, 1, milliseconds(1));
  std::vector<std::thread> workers;
  std::atomic<int> taken{0};
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&] {
      int mine = 0;
      for (int i = 0; i < 20'000; ++i) mine += bucket.take(kStart + std::chrono::microseconds(i * 50));
      taken += mine;
    });
  }
  for (std::thread& worker : workers) worker.join();
  // 1000 at first and one a millisecond up to 999: not one more (a worker that is held up may leave a few in the
  // bucket).
  CHECK(taken <= 1999);
  CHECK(taken >= 1990);
}

TEST_CASE("a request without a token is answered 429 and counted") {
  const auto factory = std::make_shared<FilterFactory>(settings(1));
  const Result first = send(factory);
  CHECK(first.status == 0);
  CHECK(first.counts == std::vector{1, 0, 0, 1});

  Harness h({factory});
  h.stream.info().start = kStart;
  h.request("POST", {}, false);
  CHECK(h.client.status == 429);
  CHECK(h.client.body == "local_rate_limited");
  CHECK(h.stream.info().response_code_details == "local_rate_limited");
  CHECK(h.stream.info().response_flags.has(stream::ResponseFlag::kRateLimited));
  CHECK(h.terminal.heads == 0);
  CHECK(h.counted({2}) == 1);
  CHECK(h.counted({3}) == 1);

  CHECK(send(factory, kStart + seconds(1)).status == 0);
}

TEST_CASE("a refusal has the configured status and headers") {
  Settings s = settings(0);
  s.status = 503;
  s.response.add.push_back({.name = "retry-after", .value = "1"});
  const Result result = send(std::make_shared<FilterFactory>(std::move(s)));
  CHECK(result.status == 503);
  CHECK(result.client == Fields{{"content-length", "18"}, {"retry-after", "1"}, {"content-type", "text/plain"}});
}

TEST_CASE("what is not enforced goes on, marked") {
  Settings s = settings(0, kAlways, 0);
  s.not_enforced.add.push_back({.name = "x-limited", .value = "yes"});
  const Result result = send(std::make_shared<FilterFactory>(std::move(s)));
  CHECK(result.status == 0);
  CHECK(result.upstream == Fields{{"x-limited", "yes"}});
  CHECK(result.counts == std::vector{1, 0, 1, 0});
}

TEST_CASE("shares of requests are drawn by chance") {
  const auto half = std::make_shared<FilterFactory>(settings(0, 500'000));
  CHECK(send(half, kStart, nullptr, 499'999).status == 429);
  CHECK(send(half, kStart, nullptr, 500'000).status == 0);
  CHECK(send(half, kStart, nullptr, 500'000).counts == std::vector{0, 0, 0, 0});
}

TEST_CASE("a route's settings have a bucket of their own") {
  const auto factory = std::make_shared<FilterFactory>(settings(0));
  const auto route = std::make_shared<RouteSettings>(settings(1));
  CHECK(send(factory).status == 429);
  CHECK(send(factory, kStart, route).status == 0);
  CHECK(send(factory, kStart, route).status == 429);
}

TEST_CASE("without a bucket nothing is limited") {
  Settings s = settings(0);
  s.bucket = nullptr;
  const Result result = send(std::make_shared<FilterFactory>(std::move(s)));
  CHECK(result.status == 0);
  CHECK(result.counts == std::vector{1, 0, 0, 1});
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(settings(1))};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::local_ratelimit
