#include "source/extensions/filters/http/health_check/factory.h"

#include <algorithm>
#include <memory>

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/rate_limits.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/health_check/filter.h"

namespace sluice::extensions::http_filters::health_check {
namespace {

using Proto = envoy::extensions::filters::http::health_check::v3::HealthCheck;

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  const config::Context& at = context.at;
  Settings settings;
  settings.pass_through = proto.pass_through_mode().value();
  settings.service = context.services.node_cluster;
  settings.failed = context.services.checks_fail;
  settings.cache_time = config::compileMilliseconds(proto.cache_time());
  if (!settings.pass_through && settings.cache_time.count() > 0) {
    at.child("cache_time")
        .error("needs pass_through_mode: without it there is no answer of an upstream to keep; set that, or remove it");
  }
  if (settings.pass_through && !proto.cluster_min_healthy_percentages().empty()) {
    at.child("cluster_min_healthy_percentages")
        .warn("does nothing with pass_through_mode, where the upstream answers; remove one of them");
  }
  // Named, not held: a cluster that is removed fails checks.
  for (const auto& [name, percent] : proto.cluster_min_healthy_percentages()) {
    settings.least_healthy.emplace_back(name, percent.value());
  }
  std::sort(settings.least_healthy.begin(), settings.least_healthy.end());
  config::Regexes regexes;
  for (int i = 0; i < proto.headers_size(); ++i) {
    settings.headers.push_back(
        config::compileHeaderMatcher(proto.headers(i), at.child("headers", static_cast<size_t>(i)), regexes));
  }
  return settings;
}

class Factory : public config::HttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return "it answers checks of this proxy, which have no host"; }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::health_check
