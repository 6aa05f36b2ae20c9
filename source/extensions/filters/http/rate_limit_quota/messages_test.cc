#include "source/extensions/filters/http/rate_limit_quota/messages.h"

#include <catch2/catch.hpp>

#include "envoy/service/rate_limit_quota/v3/rlqs.pb.h"
#include "source/config/test_world.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

namespace v3 = envoy::service::rate_limit_quota::v3;
using envoy::type::v3::RateLimitStrategy;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<Strategy> strategy(const std::string& json) {
  return strategyOf(config::testing::fromJson<RateLimitStrategy>(json));
}

Actions decode(const std::string& json) {
  return decodeActions(config::testing::fromJson<v3::RateLimitQuotaResponse>(json).SerializeAsString());
}

TEST_CASE("a report says the domain, and of each bucket what was let through in which time") {
  const BucketId id{{"name", "all"}, {"user", "ada"}};

  const std::string bytes = encodeReports("shop", {{id, milliseconds(1500), 3, 4}});

  v3::RateLimitQuotaUsageReports proto;
  REQUIRE(proto.ParseFromString(bytes));
  CHECK(proto.domain() == "shop");
  REQUIRE(proto.bucket_quota_usages_size() == 1);
  const auto& usage = proto.bucket_quota_usages(0);
  CHECK(usage.bucket_id().bucket().at("user") == "ada");
  CHECK(usage.time_elapsed().seconds() == 1);
  CHECK(usage.time_elapsed().nanos() == 500'000'000);
  CHECK(usage.num_requests_allowed() == 3);
  CHECK(usage.num_requests_denied() == 4);
}

TEST_CASE("strategies: all, none, and as many as there are tokens") {
  using Kind = Strategy::Kind;
  CHECK(strategy("{}") == Strategy{Kind::kAll});
  CHECK(strategy(R"({"blanket_rule": "ALLOW_ALL"})") == Strategy{Kind::kAll});
  CHECK(strategy(R"({"blanket_rule": "DENY_ALL"})") == Strategy{Kind::kNone});
  CHECK(strategy(R"({"token_bucket": {"max_tokens": 5, "fill_interval": "2s"}})") ==
        Strategy{Kind::kTokens, 5, 1, seconds(2)});
  CHECK(strategy(R"({"requests_per_time_unit": {"requests_per_time_unit": 7, "time_unit": "HOUR"}})") ==
        Strategy{Kind::kTokens, 7, 7, hours(1)});
  CHECK(strategy(R"({"requests_per_time_unit": {"requests_per_time_unit": 9999999999, "time_unit": "YEAR"}})") ==
        Strategy{Kind::kTokens, UINT32_MAX, UINT32_MAX, hours(365 * 24)});
  CHECK(strategy(R"({"requests_per_time_unit": {"time_unit": "DAY"}})") == Strategy{Kind::kNone});
}

TEST_CASE("strategies that say nothing of a time, or nothing that is known, are none") {
  CHECK(strategy(R"({"requests_per_time_unit": {"requests_per_time_unit": 7}})") == std::nullopt);
  CHECK(strategy(R"({"token_bucket": {"max_tokens": 5}})") == std::nullopt);
  CHECK(strategy(R"({"token_bucket": {"max_tokens": 5, "tokens_per_fill": 0, "fill_interval": "2s"}})") ==
        std::nullopt);
  CHECK(strategy(R"({"blanket_rule": 9})") == std::nullopt);
}

TEST_CASE("actions are in order, with ids whose keys are in order") {
  const Actions got = decode(R"({"bucket_action": [
      {"bucket_id": {"bucket": {"b": "2", "a": "1"}}, "quota_assignment_action": {"assignment_time_to_live": "3s"}},
      {"bucket_id": {"bucket": {"a": "1"}}, "quota_assignment_action": {}},
      {"bucket_id": {"bucket": {"a": "2"}}, "abandon_action": {}}]})");

  CHECK(got.unreadable == 0);
  REQUIRE(got.actions.size() == 3);
  CHECK(got.actions[0].id == BucketId{{"a", "1"}, {"b", "2"}});
  CHECK(got.actions[0].assignment->strategy == Strategy{});
  CHECK(got.actions[0].assignment->time_to_live == seconds(3));
  CHECK(got.actions[1].assignment->time_to_live == std::nullopt);
  CHECK_FALSE(got.actions[2].assignment);
}

TEST_CASE("what cannot be read is left out and counted; the rest holds") {
  const Actions got = decode(R"({"bucket_action": [
      {"bucket_id": {"bucket": {"a": "1"}}},
      {"bucket_id": {"bucket": {"a": "2"}}, "quota_assignment_action": {"assignment_time_to_live": "-1s"}},
      {"bucket_id": {"bucket": {"a": "3"}},
       "quota_assignment_action": {"rate_limit_strategy": {"token_bucket": {"max_tokens": 1}}}},
      {"bucket_id": {"bucket": {"a": "4"}}, "abandon_action": {}}]})");

  CHECK(got.unreadable == 3);
  REQUIRE(got.actions.size() == 1);
  CHECK(got.actions[0].id == BucketId{{"a", "4"}});
  CHECK(decodeActions("\xff\xff").unreadable == 1);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::rate_limit_quota
