#include "source/extensions/filters/network/local_ratelimit/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/local_ratelimit/filter.h"

namespace sluice::extensions::network_filters::local_ratelimit {
namespace {

using Proto = envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit;

constexpr std::chrono::milliseconds kMinFillInterval{50};

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    const auto& bucket = proto.token_bucket();
    const std::chrono::nanoseconds interval = config::compileDuration(bucket.fill_interval());
    if (interval < kMinFillInterval) {
      context.at.child("token_bucket").child("fill_interval").error("is less than 50 ms; fill more tokens less often");
      return nullptr;
    }
    if (proto.has_runtime_enabled() && !config::compileFlag(proto.runtime_enabled(), context.services.runtime.get())) {
      return std::make_shared<filter::NetworkFilterFactory>();  // switched off: lets all through
    }
    const uint32_t per_fill = bucket.has_tokens_per_fill() ? bucket.tokens_per_fill().value() : 1;
    auto shared = context.shared<base::TokenBucket>(
        absl::StrCat("bucket ", bucket.max_tokens(), " ", per_fill, " ", interval.count()), bucket.max_tokens(),
        per_fill, interval);
    return std::make_shared<LocalRateLimit>(
        std::move(shared),
        context.stats->counter(absl::StrCat("local_rate_limit.", proto.stat_prefix(), ".rate_limited")));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::local_ratelimit
