#include "source/extensions/filters/http/rate_limit_quota/messages.h"

#include <algorithm>
#include <limits>

#include "envoy/service/rate_limit_quota/v3/rlqs.pb.h"
#include "source/base/duration.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

namespace v3 = envoy::service::rate_limit_quota::v3;
using envoy::type::v3::RateLimitStrategy;
using std::chrono::nanoseconds;
using std::chrono::seconds;

nanoseconds nanosecondsIn(const google::protobuf::Duration& proto) {
  return base::nanosecondsOf(proto.seconds(), proto.nanos());
}

// 0 if it is unknown.
seconds lengthOf(envoy::type::v3::RateLimitUnit unit) {
  switch (unit) {
    case envoy::type::v3::SECOND:
      return seconds(1);
    case envoy::type::v3::MINUTE:
      return seconds(60);
    case envoy::type::v3::HOUR:
      return seconds(3600);
    case envoy::type::v3::DAY:
      return seconds(86'400);
    case envoy::type::v3::MONTH:
      return seconds(30 * 86'400);
    case envoy::type::v3::YEAR:
      return seconds(365 * 86'400);
    default:
      return seconds(0);
  }
}

std::optional<Strategy> tokens(uint64_t max, uint64_t per_fill, nanoseconds interval) {
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  if (max == 0) return Strategy{Strategy::Kind::kNone};
  if (per_fill == 0 || interval <= nanoseconds(0)) return std::nullopt;
  return Strategy{Strategy::Kind::kTokens, static_cast<uint32_t>(std::min(max, kMost)),
                  static_cast<uint32_t>(std::min(per_fill, kMost)), interval};
}

std::optional<BucketAction> decode(const v3::RateLimitQuotaResponse::BucketAction& proto) {
  using Proto = v3::RateLimitQuotaResponse::BucketAction;
  BucketAction out;
  for (const auto& [key, value] : proto.bucket_id().bucket()) out.id.emplace_back(key, value);
  std::sort(out.id.begin(), out.id.end());
  if (proto.bucket_action_case() == Proto::kAbandonAction) return out;
  if (proto.bucket_action_case() != Proto::kQuotaAssignmentAction) return std::nullopt;
  const auto& action = proto.quota_assignment_action();
  out.assignment.emplace();
  if (action.has_assignment_time_to_live()) {
    out.assignment->time_to_live = nanosecondsIn(action.assignment_time_to_live());
    if (*out.assignment->time_to_live < nanoseconds(0)) return std::nullopt;
  }
  if (action.has_rate_limit_strategy()) {
    const auto strategy = strategyOf(action.rate_limit_strategy());
    if (!strategy) return std::nullopt;
    out.assignment->strategy = *strategy;
  }
  return out;
}

}  // namespace

std::string encodeReports(std::string_view domain, const std::vector<Usage>& usages) {
  v3::RateLimitQuotaUsageReports out;
  out.set_domain(std::string(domain));
  for (const Usage& usage : usages) {
    auto& proto = *out.add_bucket_quota_usages();
    for (const auto& [key, value] : usage.id) (*proto.mutable_bucket_id()->mutable_bucket())[key] = value;
    const auto whole = std::chrono::duration_cast<seconds>(usage.elapsed);
    proto.mutable_time_elapsed()->set_seconds(whole.count());
    proto.mutable_time_elapsed()->set_nanos(static_cast<int32_t>((usage.elapsed - whole).count()));
    proto.set_num_requests_allowed(usage.allowed);
    proto.set_num_requests_denied(usage.denied);
  }
  return out.SerializeAsString();
}

Actions decodeActions(std::string_view message) {
  Actions out;
  v3::RateLimitQuotaResponse proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    out.unreadable = 1;
    return out;
  }
  for (const auto& action : proto.bucket_action()) {
    if (auto decoded = decode(action)) {
      out.actions.push_back(*std::move(decoded));
    } else {
      ++out.unreadable;
    }
  }
  return out;
}

std::optional<Strategy> strategyOf(const RateLimitStrategy& proto) {
  switch (proto.strategy_case()) {
    case RateLimitStrategy::kBlanketRule:
      if (!RateLimitStrategy::BlanketRule_IsValid(proto.blanket_rule())) return std::nullopt;
      return Strategy{proto.blanket_rule() == RateLimitStrategy::DENY_ALL ? Strategy::Kind::kNone
                                                                          : Strategy::Kind::kAll};
    case RateLimitStrategy::kRequestsPerTimeUnit: {
      const uint64_t requests = proto.requests_per_time_unit().requests_per_time_unit();
      return tokens(requests, requests, lengthOf(proto.requests_per_time_unit().time_unit()));
    }
    case RateLimitStrategy::kTokenBucket: {
      const auto& bucket = proto.token_bucket();
      return tokens(bucket.max_tokens(), bucket.has_tokens_per_fill() ? bucket.tokens_per_fill().value() : 1,
                    nanosecondsIn(bucket.fill_interval()));
    }
    case RateLimitStrategy::STRATEGY_NOT_SET:
      return Strategy{};
  }
  return std::nullopt;
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
