#include "source/extensions/filters/http/local_ratelimit/factory.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/rate_limits.h"
#include "source/config/route_mutations.h"
#include "source/config/runtime_compiler.h"
#include "source/config/stable_bytes.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/local_ratelimit/filter.h"

namespace sluice::extensions::http_filters::local_ratelimit {
namespace {

using Proto = envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;

constexpr std::chrono::milliseconds kMinFillInterval{50};

Stats makeStats(const std::string& prefix, observability::Scope& scope) {
  const std::string base = absl::StrCat(prefix, ".http_local_rate_limit.");
  return {scope.counter(base + "enabled"), scope.counter(base + "enforced"), scope.counter(base + "rate_limited"),
          scope.counter(base + "ok")};
}

// `context` stands at the bucket.
BucketConfig compileBucket(const envoy::type::v3::TokenBucket& bucket, const config::Context& context) {
  const std::chrono::nanoseconds interval = config::compileDuration(bucket.fill_interval());
  // Without tokens everything is refused, however often none comes.
  if (bucket.max_tokens() > 0 && interval < kMinFillInterval) {
    context.child("fill_interval").error("is less than 50 ms; fill more tokens less often");
  }
  return {bucket.max_tokens(), bucket.has_tokens_per_fill() ? bucket.tokens_per_fill().value() : 1, interval};
}

LimiterConfig compileLimiter(const Proto& proto, const config::Context& at) {
  LimiterConfig out;
  if (proto.has_token_bucket()) out.bucket = compileBucket(proto.token_bucket(), at.child("token_bucket"));
  if (proto.has_always_consume_default_token_bucket()) {
    out.always_take_from_bucket = proto.always_consume_default_token_bucket().value();
  }
  if (proto.has_max_dynamic_descriptors()) out.max_dynamic = proto.max_dynamic_descriptors().value();
  for (int i = 0; i < proto.descriptors_size(); ++i) {
    const config::Context descriptor_at = at.child("descriptors", static_cast<size_t>(i));
    const auto& descriptor = proto.descriptors(i);
    DescriptorConfig config;
    for (const auto& entry : descriptor.entries()) config.entries.emplace_back(entry.key(), entry.value());
    config.bucket = compileBucket(descriptor.token_bucket(), descriptor_at.child("token_bucket"));
    config.shadow = descriptor.shadow_mode();
    const bool twice = std::any_of(out.descriptors.begin(), out.descriptors.end(),
                                   [&](const DescriptorConfig& other) { return other.entries == config.entries; });
    if (twice) descriptor_at.error("has the same entries as another one, whose bucket it would share; remove one");
    out.descriptors.push_back(std::move(config));
  }
  return out;
}

// What two generations of the same limiter have in common.
std::string keyOf(const Proto& proto) {
  Proto buckets;
  *buckets.mutable_token_bucket() = proto.token_bucket();
  *buckets.mutable_descriptors() = proto.descriptors();
  *buckets.mutable_always_consume_default_token_bucket() = proto.always_consume_default_token_bucket();
  *buckets.mutable_max_dynamic_descriptors() = proto.max_dynamic_descriptors();
  return absl::StrCat("limiter ", proto.has_token_bucket(), proto.has_always_consume_default_token_bucket(),
                      proto.has_max_dynamic_descriptors(), config::stableBytes(buckets));
}

void compileBuckets(const Proto& proto, const config::FactoryContext& context, Settings& out) {
  const config::ErrorMark mark(context.at);
  LimiterConfig config = compileLimiter(proto, context.at);
  if (mark.hit() || (!config.bucket && config.descriptors.empty())) return;
  out.has_descriptors = !config.descriptors.empty();
  if (proto.local_rate_limit_per_downstream_connection()) {
    out.per_connection = context.shared<ConnectionLimiters>("per connection " + keyOf(proto), std::move(config),
                                                            context.services.local_slots);
  } else {
    out.limiter = context.shared<Limiter>(keyOf(proto), std::move(config));
  }
}

void compileLimits(const Proto& proto, const config::FactoryContext& context, Settings& out) {
  namespace common = envoy::extensions::common::ratelimit::v3;
  config::Regexes regexes;
  out.limits = config::compileRateLimits(proto.rate_limits(), "rate_limits", context.at, regexes,
                                         context.services.runtime.get(), config::inputsOf(context));
  for (size_t i = 0; i < out.limits.size(); ++i) {
    if (!out.limits[i].at_end) continue;
    context.at.child("rate_limits", i)
        .child("apply_on_stream_done")
        .error("is of no use here: who is let in is decided at the beginning of a stream; remove it");
  }
  if (!out.limits.empty() && proto.descriptors().empty()) {
    context.at.child("rate_limits").warn("have no effect without descriptors, which hold the buckets for them");
  }
  out.stage = proto.stage();
  if (proto.vh_rate_limits() == common::INCLUDE) out.host_limits = route::HostLimits::kInclude;
  if (proto.vh_rate_limits() == common::IGNORE) out.host_limits = route::HostLimits::kIgnore;
  out.limits_slot = context.services.filter_slots.slotOf(route::kRateLimitsSlot);
  out.node_cluster = context.services.node_cluster;
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  const config::Context& at = context.at;
  Settings settings;
  compileBuckets(proto, context, settings);
  compileLimits(proto, context, settings);
  const runtime::Snapshot* snapshot = context.services.runtime.get();
  settings.enabled = config::compileFraction(proto.filter_enabled(), snapshot);
  settings.enforced = config::compileFraction(proto.filter_enforced(), snapshot);
  settings.status = config::errorStatus(proto.status().code(), settings.status);
  settings.resource_exhausted = proto.rate_limited_as_resource_exhausted();
  settings.quota_headers =
      proto.enable_x_ratelimit_headers() == envoy::extensions::common::ratelimit::v3::DRAFT_VERSION_03;
  settings.retry_after = proto.enable_retry_after_header();
  settings.response.add =
      config::compileHeaderAdditions(proto.response_headers_to_add(), "response_headers_to_add", at);
  settings.not_enforced.add = config::compileHeaderAdditions(proto.request_headers_to_add_when_not_enforced(),
                                                             "request_headers_to_add_when_not_enforced", at);
  settings.stats = makeStats(proto.stat_prefix(), *context.stats);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    if (!proto.has_token_bucket()) {
      context.at.child("token_bucket")
          .error("is needed in a route's own settings; the filter's bucket is not used for it");
      return nullptr;
    }
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::local_ratelimit
