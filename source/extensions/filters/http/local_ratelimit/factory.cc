#include "source/extensions/filters/http/local_ratelimit/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/config/runtime_compiler.h"
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

std::shared_ptr<TokenBucket> compileBucket(const Proto& proto, const config::FactoryContext& context) {
  const auto& bucket = proto.token_bucket();
  const std::chrono::nanoseconds interval = config::compileDuration(bucket.fill_interval());
  // Without tokens everything is refused, however often none comes.
  if (bucket.max_tokens() > 0 && interval < kMinFillInterval) {
    context.at.child("token_bucket").child("fill_interval").error("is less than 50 ms; fill more tokens less often");
    return nullptr;
  }
  const uint32_t per_fill = bucket.has_tokens_per_fill() ? bucket.tokens_per_fill().value() : 1;
  return context.shared<TokenBucket>(absl::StrCat("bucket ", bucket.max_tokens(), " ", per_fill, " ", interval.count()),
                                     bucket.max_tokens(), per_fill, interval);
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  const config::Context& at = context.at;
  Settings settings;
  if (proto.has_token_bucket()) settings.bucket = compileBucket(proto, context);
  const runtime::Snapshot* snapshot = context.services.runtime.get();
  settings.enabled = config::compileFraction(proto.filter_enabled(), snapshot);
  settings.enforced = config::compileFraction(proto.filter_enforced(), snapshot);
  // As in Envoy a refusal is an error: what is none becomes 429.
  if (proto.has_status() && proto.status().code() >= 400)
    settings.status = static_cast<uint16_t>(proto.status().code());
  settings.response.add =
      config::compileHeaderAdditions(proto.response_headers_to_add(), "response_headers_to_add", at);
  settings.not_enforced.add = config::compileHeaderAdditions(proto.request_headers_to_add_when_not_enforced(),
                                                             "request_headers_to_add_when_not_enforced", at);
  settings.stats = makeStats(proto.stat_prefix(), *context.stats);
  return settings;
}

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::string_view upstreamRefusal() const override { return {}; }
  std::string_view routeConfigType() const override { return configType(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    return std::make_shared<FilterFactory>(compileSettings(static_cast<const Proto&>(message), context));
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
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
