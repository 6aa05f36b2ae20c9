#include "source/extensions/filters/http/bandwidth_limit/factory.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/bandwidth_limit/filter.h"

namespace sluice::extensions::http_filters::bandwidth_limit {
namespace {

using Proto = envoy::extensions::filters::http::bandwidth_limit::v3::BandwidthLimit;

constexpr std::chrono::milliseconds kDefaultFillInterval{50};

// `direction` is "request" or "response".
Stats makeStats(const Proto& proto, const char* direction, observability::Scope& scope) {
  const std::string base = absl::StrCat(proto.stat_prefix(), ".http_bandwidth_limit.", direction, "_");
  const auto counter = [&](const char* name) { return scope.counter(base + name); };
  return {counter("enabled"),
          counter("enforced"),
          counter("incoming_total_size"),
          counter("allowed_total_size"),
          scope.gauge(base + "pending"),
          scope.histogram(base + "transfer_duration")};
}

std::shared_ptr<filter::Pace> makePace(const Proto& proto, const config::FactoryContext& context) {
  const runtime::Snapshot* snapshot = context.services.runtime.get();
  const bool on = !proto.has_runtime_enabled() || config::compileFlag(proto.runtime_enabled(), snapshot);
  if (!on || !proto.has_limit_kbps() || proto.enable_mode() == Proto::DISABLED) return nullptr;
  const uint64_t rate = std::min<uint64_t>(proto.limit_kbps().value(), UINT64_MAX / 1024) * 1024;
  const std::chrono::milliseconds burst =
      proto.has_fill_interval() ? config::compileMilliseconds(proto.fill_interval()) : kDefaultFillInterval;
  return context.shared<filter::Pace>(absl::StrCat("pace ", rate, " ", burst.count()), rate, burst);
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  const auto mode = proto.enable_mode();
  Settings settings;
  settings.pace = makePace(proto, context);
  settings.requests = mode == Proto::REQUEST || mode == Proto::REQUEST_AND_RESPONSE;
  settings.responses = mode == Proto::RESPONSE || mode == Proto::REQUEST_AND_RESPONSE;
  settings.request_stats = makeStats(proto, "request", *context.stats);
  settings.response_stats = makeStats(proto, "response", *context.stats);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    if (!proto.has_limit_kbps()) {
      context.at.child("limit_kbps").error("is needed in a route's own settings; the filter's is not used for it");
      return nullptr;
    }
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::bandwidth_limit
