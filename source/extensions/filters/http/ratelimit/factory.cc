#include "source/extensions/filters/http/ratelimit/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ratelimit/v3/rate_limit.pb.h"
#include "source/config/grpc_service.h"
#include "source/config/http_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/metadata_namespace.h"
#include "source/config/rate_limits.h"
#include "source/config/route_mutations.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ratelimit/filter.h"

namespace sluice::extensions::http_filters::ratelimit {
namespace {

namespace v3 = envoy::extensions::filters::http::ratelimit::v3;
using config::Context;

constexpr std::chrono::milliseconds kDefaultTimeout{20};

Stats makeStats(const v3::RateLimit& proto, const config::FactoryContext& context) {
  std::string base = absl::StrCat(context.owner, "ratelimit.");
  if (!proto.stat_prefix().empty()) absl::StrAppend(&base, proto.stat_prefix(), ".");
  const auto counter = [&](const char* name) { return context.stats->counter(base + name); };
  return {counter("ok"), counter("error"), counter("over_limit"), counter("failure_mode_allowed")};
}

void compileShares(const v3::RateLimit& proto, const runtime::Snapshot* snapshot, Settings& out) {
  if (proto.request_type() == "internal") out.request_type = filter::RequestType::kInternal;
  if (proto.request_type() == "external") out.request_type = filter::RequestType::kExternal;
  out.enabled = proto.has_filter_enabled() ? config::compileFraction(proto.filter_enabled(), snapshot)
                                           : config::shareOf("ratelimit.http_filter_enabled", snapshot);
  out.enforced = proto.has_filter_enforced() ? config::compileFraction(proto.filter_enforced(), snapshot)
                                             : config::shareOf("ratelimit.http_filter_enforcing", snapshot);
  if (proto.has_failure_mode_deny_percent()) {
    out.failure_mode_deny_share = config::compileFraction(proto.failure_mode_deny_percent(), snapshot);
  }
}

route::HostLimits hostLimits(const v3::RateLimitPerRoute& proto) {
  using Proto = v3::RateLimitPerRoute;
  const auto is = [&](Proto::OverrideOptions option, Proto::VhRateLimitsOptions older) {
    return proto.override_option() == Proto::DEFAULT ? proto.vh_rate_limits() == older
                                                     : proto.override_option() == option;
  };
  if (is(Proto::INCLUDE_POLICY, Proto::INCLUDE)) return route::HostLimits::kInclude;
  if (is(Proto::IGNORE_POLICY, Proto::IGNORE)) return route::HostLimits::kIgnore;
  return route::HostLimits::kIfRouteHasNone;
}

Settings compileSettings(const v3::RateLimit& proto, const config::FactoryContext& context) {
  const Context& at = context.at;
  Settings settings;
  const auto& service = proto.rate_limit_service();
  const config::FactoryContext service_context = context.child("rate_limit_service");
  auto target = config::compileGrpcService(service.grpc_service(), service_context.child("grpc_service"));
  if (target) settings.target = *std::move(target);
  if (service.transport_api_version() == envoy::config::core::v3::V2) {
    service_context.at.child("transport_api_version").error("V2 is gone; use V3");
  }
  settings.target.timeout = proto.has_timeout() ? config::compileMilliseconds(proto.timeout()) : kDefaultTimeout;
  settings.domain = proto.domain();
  settings.stage = proto.stage();
  compileShares(proto, context.services.runtime.get(), settings);
  settings.failure_mode_deny = proto.failure_mode_deny();
  settings.resource_exhausted = proto.rate_limited_as_resource_exhausted();
  settings.quota_headers = proto.enable_x_ratelimit_headers() == v3::RateLimit::DRAFT_VERSION_03;
  settings.retry_after = proto.enable_retry_after_header();
  config::checkMetadataNamespace(proto.metadata_namespace(), at.child("metadata_namespace"));
  if (!proto.metadata_namespace().empty()) settings.metadata_namespace = proto.metadata_namespace();
  settings.ratelimited_header = !proto.disable_x_envoy_ratelimited_header();
  settings.status = config::errorStatus(proto.rate_limited_status().code(), settings.status);
  settings.status_on_error = config::errorStatus(proto.status_on_error().code(), settings.status_on_error);
  settings.response.add =
      config::compileHeaderAdditions(proto.response_headers_to_add(), "response_headers_to_add", at);
  config::Regexes regexes;
  settings.limits = config::compileRateLimits(proto.rate_limits(), "rate_limits", at, regexes,
                                              context.services.runtime.get(), config::inputsOf(context));
  settings.limits_slot = context.services.filter_slots.slotOf(route::kRateLimitsSlot);
  settings.node_cluster = context.services.node_cluster;
  settings.stats = makeStats(proto, context);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<v3::RateLimit, v3::RateLimitPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::RateLimit& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::RateLimitPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    auto settings = std::make_shared<RouteSettings>();
    settings->host_limits = hostLimits(proto);
    config::Regexes regexes;
    settings->limits = config::compileRateLimits(proto.rate_limits(), "rate_limits", context.at, regexes,
                                                 context.services.runtime.get(), config::inputsOf(context));
    settings->domain = proto.domain();
    return settings;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ratelimit
