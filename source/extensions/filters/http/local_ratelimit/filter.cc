#include "source/extensions/filters/http/local_ratelimit/filter.h"

#include "source/filter/context.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::local_ratelimit {
namespace {

bool chosen(const runtime::Fraction& fraction, filter::Context& context) {
  return fraction.sample([&context] { return context.random(); });
}

filter::Reply refusal(const Settings& settings, const filter::Context& context, base::Arena& arena) {
  filter::Reply reply{
      settings.status, "local_rate_limited", "local_rate_limited", {}, stream::ResponseFlag::kRateLimited};
  if (settings.response.empty()) return reply;
  http::ResponseHeaders added(arena);
  settings.response.apply(added, stream::FormatContext{.request = &context.request(), .info = context.info()});
  for (const http::Field& field : added) reply.headers.emplace_back(field.name, field.value);
  return reply;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const auto* route = context.routeConfigAs<RouteSettings>();
  const Settings& settings = route != nullptr ? route->settings : settings_;
  if (!chosen(settings.enabled, context)) return filter::Next{};
  context.count(settings.stats.enabled);
  if (!settings.bucket || settings.bucket->take(context.info().start)) {
    context.count(settings.stats.ok);
    return filter::Next{};
  }
  context.count(settings.stats.rate_limited);
  if (chosen(settings.enforced, context)) {
    context.count(settings.stats.enforced);
    return refusal(settings, context, context.arena());
  }
  if (!settings.not_enforced.empty()) {
    settings.not_enforced.apply(headers, stream::FormatContext{.request = &headers, .info = context.info()});
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::local_ratelimit
