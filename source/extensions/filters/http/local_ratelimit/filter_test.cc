#include "source/extensions/filters/http/local_ratelimit/filter.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "source/worker/test_worker.h"
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
  out.limiter = std::make_shared<Limiter>(LimiterConfig{.bucket = BucketConfig{max_tokens, 1, seconds(1)}});
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
  h.stream.time = now;
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

TEST_CASE("the key of a bucket is short, and other values have another one") {
  const auto key = [](const std::string& a, const std::string& b) {
    return bucketKey({.entries = {{"a", a}, {"b", b}}});
  };
  const std::string text(60'000, 'x');
  CHECK(key("1", "2") != key("12", ""));
  CHECK(key(text, "") == key(text, ""));
  CHECK(key(text, "") != key("", text));
  CHECK(key(text, "1") != key(text, "2"));
  CHECK(key(text, text).size() <= kLongestKey);
}

TEST_CASE("a request without a token is answered 429 and counted") {
  const auto factory = std::make_shared<FilterFactory>(settings(1));
  const Result first = send(factory);
  CHECK(first.status == 0);
  CHECK(first.counts == std::vector{1, 0, 0, 1});

  Harness h({factory});
  h.stream.time = kStart;
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

TEST_CASE("a request that was held in front finds the tokens that have come meanwhile") {
  const auto factory = std::make_shared<FilterFactory>(settings(1));
  REQUIRE(send(factory).status == 0);
  Harness h({factory});
  h.stream.info().start = kStart;
  h.stream.time = kStart + seconds(1);

  h.request("GET", {}, true);

  CHECK(h.terminal.heads == 1);
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
  s.limiter = nullptr;
  const Result result = send(std::make_shared<FilterFactory>(std::move(s)));
  CHECK(result.status == 0);
  CHECK(result.counts == std::vector{1, 0, 0, 1});
}

filter::Descriptor descriptor(std::vector<std::pair<std::string, std::string>> entries) {
  return {.entries = std::move(entries)};
}

// `tokens` at first, one more a minute.
DescriptorConfig bucketFor(std::vector<std::pair<std::string, std::string>> entries, uint32_t tokens,
                           seconds interval = seconds(60)) {
  return {std::move(entries), {tokens, 1, interval}};
}

TEST_CASE("a bucket gives several tokens or none, and takes them back up to what it holds") {
  TokenBucket bucket(5, 1, seconds(1));
  CHECK(bucket.take(kStart, 4));
  CHECK_FALSE(bucket.take(kStart, 2));
  CHECK(bucket.remaining() == 1);
  CHECK(bucket.take(kStart, 0));
  bucket.give(kStart, 3);
  CHECK(bucket.remaining() == 4);
  bucket.give(kStart, UINT64_MAX);
  CHECK(bucket.remaining() == 5);
  CHECK(bucket.isFull(kStart));
  CHECK_FALSE(bucket.take(kStart, UINT64_MAX));
  CHECK(bucket.untilNext(kStart).count() == 0);
  CHECK(bucket.take(kStart, 5));
  CHECK(bucket.untilNext(kStart + milliseconds(300)) == milliseconds(700));
}

TEST_CASE("a descriptor has a bucket of its own, for requests with just its entries") {
  Limiter limiter({.descriptors = {bucketFor({{"path", "/a"}, {"user", "anna"}}, 1)}});
  const auto takes = [&](std::vector<std::pair<std::string, std::string>> entries) {
    return limiter.take({descriptor(std::move(entries))}, kStart).allowed;
  };
  CHECK(takes({{"path", "/a"}, {"user", "anna"}}));
  CHECK_FALSE(takes({{"path", "/a"}, {"user", "anna"}}));
  CHECK(takes({{"path", "/a"}}));
  CHECK(takes({{"path", "/a"}, {"user", "berta"}}));
  CHECK(takes({{"user", "anna"}, {"path", "/a"}}));
  CHECK(takes({{"path", "/a"}, {"user", "anna"}, {"x", "y"}}));
}

TEST_CASE("requests with a descriptor take from the bucket of all, too, unless told otherwise") {
  const bool always = GENERATE(false, true);
  Limiter limiter({.bucket = BucketConfig{1, 1, seconds(60)},
                   .descriptors = {bucketFor({{"a", "1"}}, 10)},
                   .always_take_from_bucket = always});
  CHECK(limiter.take({descriptor({{"a", "1"}})}, kStart).allowed);
  CHECK(limiter.take({descriptor({{"a", "1"}})}, kStart).allowed == !always);
  CHECK(limiter.take({}, kStart).allowed == !always);
}

TEST_CASE("of several descriptors the slowest is asked first, and one that refuses leaves the others alone") {
  Limiter limiter({.descriptors = {bucketFor({{"a", "1"}}, 10, seconds(1)), bucketFor({{"b", "1"}}, 1, seconds(60))}});
  const std::vector<filter::Descriptor> both{descriptor({{"a", "1"}}), descriptor({{"b", "1"}})};
  CHECK(limiter.take(both, kStart).allowed);
  CHECK_FALSE(limiter.take(both, kStart).allowed);
  const Limiter::Verdict alone = limiter.take({both[0]}, kStart);
  CHECK(alone.allowed);
  CHECK(alone.bucket->remaining() == 8);
}

TEST_CASE("a shadow takes tokens and refuses nobody, and the others are charged behind it") {
  DescriptorConfig shadow = bucketFor({{"a", "1"}}, 0);
  shadow.shadow = true;
  Limiter limiter({.bucket = BucketConfig{1, 1, seconds(60)}, .descriptors = {shadow}});
  CHECK(limiter.take({descriptor({{"a", "1"}})}, kStart).allowed);
  CHECK_FALSE(limiter.take({descriptor({{"a", "1"}})}, kStart).allowed);
}

TEST_CASE("what a descriptor costs is taken, or given back") {
  Limiter limiter({.descriptors = {bucketFor({{"a", "1"}}, 10)}});
  filter::Descriptor costly = descriptor({{"a", "1"}});
  costly.hits_addend = 7;
  CHECK(limiter.take({costly}, kStart).bucket->remaining() == 3);
  CHECK_FALSE(limiter.take({costly}, kStart).allowed);
  costly.negative_hits = true;
  CHECK(limiter.take({costly}, kStart).bucket->remaining() == 10);
}

TEST_CASE("an entry without a value stands for each value with a bucket of its own") {
  Limiter limiter({.descriptors = {bucketFor({{"user", ""}}, 1)}});
  const auto takes = [&](const char* user) { return limiter.take({descriptor({{"user", user}})}, kStart).allowed; };
  CHECK(takes("anna"));
  CHECK(takes("berta"));
  CHECK_FALSE(takes("anna"));
  CHECK_FALSE(takes("berta"));
}

TEST_CASE("values that are made up find what was used up before, and no more than so many buckets") {
  constexpr uint32_t kMax = 4;
  Limiter limiter({.descriptors = {bucketFor({{"user", ""}}, 3)}, .max_dynamic = kMax});
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) {
    allowed += limiter.take({descriptor({{"user", std::to_string(i)}})}, kStart).allowed;
  }
  CHECK(allowed == 3 * static_cast<int>(kMax));
  // What was silent long enough to be full again is as new.
  CHECK(limiter.take({descriptor({{"user", "anna"}})}, kStart + seconds(180)).bucket->remaining() == 2);
}

TEST_CASE("values of several entries are not taken for each other's") {
  Limiter limiter({.descriptors = {bucketFor({{"a", ""}, {"b", ""}}, 1)}});
  CHECK(limiter.take({descriptor({{"a", "1"}, {"b", "2:3"}})}, kStart).allowed);
  CHECK(limiter.take({descriptor({{"a", "1:2"}, {"b", "3"}})}, kStart).allowed);
  CHECK_FALSE(limiter.take({descriptor({{"a", "1"}, {"b", "2:3"}})}, kStart).allowed);
}

TEST_CASE("rate limits of the filter describe the request; the tightest bucket is told of") {
  Settings s = settings(100);
  s.limiter = std::make_shared<Limiter>(
      LimiterConfig{.bucket = BucketConfig{100, 1, seconds(1)}, .descriptors = {bucketFor({{"path", "/"}}, 2)}});
  s.has_descriptors = s.quota_headers = s.retry_after = s.resource_exhausted = true;
  route::RateLimit limit;
  limit.actions.push_back({.kind = route::RateLimitAction::Kind::kHeader, .key = "path", .header = ":path"});
  s.limits.push_back(limit);
  const auto factory = std::make_shared<FilterFactory>(std::move(s));
  const auto ask = [&](const char* path, const Fields& fields = {}) {
    Harness h({factory});
    h.stream.time = kStart;
    h.stream.request().path = path;
    h.request("POST", fields, true);
    if (h.client.heads == 0) h.respond(200, {}, true);
    return std::pair{h.client.status, h.client.headers};
  };
  CHECK(ask("/").second ==
        Fields{{"x-ratelimit-limit", "2"}, {"x-ratelimit-remaining", "1"}, {"x-ratelimit-reset", "0"}});
  CHECK(ask("/").second ==
        Fields{{"x-ratelimit-limit", "2"}, {"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "60"}});
  const auto [status, headers] = ask("/");
  CHECK(status == 429);
  CHECK(headers == Fields{{"content-length", "18"},
                          {"retry-after", "60"},
                          {"content-type", "text/plain"},
                          {"x-ratelimit-limit", "2"},
                          {"x-ratelimit-remaining", "0"},
                          {"x-ratelimit-reset", "60"}});
  CHECK(ask("/other").first == 200);
  const auto grpc = ask("/", {{"content-type", "application/grpc"}}).second;
  CHECK(std::find(grpc.begin(), grpc.end(), std::pair<std::string, std::string>("grpc-status", "8")) != grpc.end());
}

TEST_CASE("each connection has buckets of its own") {
  worker::LocalSlots slots;
  worker::testing::TestWorker worker;
  ConnectionLimiters limiters({.bucket = BucketConfig{1, 1, seconds(1)}}, slots);
  const auto takes = [&](uint64_t connection, TokenBucket::TimePoint now) {
    return limiters.of(worker.services, connection, now).take({}, now).allowed;
  };
  CHECK(takes(1, kStart));
  CHECK_FALSE(takes(1, kStart));
  CHECK(takes(2, kStart));
  CHECK_FALSE(takes(2, kStart));
  CHECK(takes(1, kStart + seconds(1)));
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
