#include "source/extensions/filters/http/local_ratelimit/filter.h"

#include "source/filter/stream.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::filters::http::local_ratelimit {
namespace {

constexpr uint32_t kAll = 1'000'000;

bool chosen(uint32_t ppm, filter::Stream& stream) {
  return ppm >= kAll || (ppm > 0 && stream.random() % kAll < ppm);
}

filter::Reply refusal(const Settings& settings, const filter::Stream& stream, base::Arena& arena) {
  filter::Reply reply{
      settings.status, "local_rate_limited", "local_rate_limited", {}, stream::ResponseFlag::kRateLimited};
  if (settings.response.empty()) return reply;
  sluice::http::ResponseHeaders added(arena);
  settings.response.apply(added, stream::FormatContext{.request = &stream.request(), .info = stream.info()});
  for (const sluice::http::Field& field : added) reply.headers.emplace_back(field.name, field.value);
  return reply;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(sluice::http::RequestHeaders& headers, filter::Stream& stream) {
  const auto* route = stream.routeConfigAs<RouteSettings>();
  const Settings& settings = route != nullptr ? route->settings : settings_;
  if (!chosen(settings.enabled_ppm, stream)) return filter::Next{};
  stream.count(settings.stats.enabled);
  if (!settings.bucket || settings.bucket->take(stream.info().start)) {
    stream.count(settings.stats.ok);
    return filter::Next{};
  }
  stream.count(settings.stats.rate_limited);
  if (chosen(settings.enforced_ppm, stream)) {
    stream.count(settings.stats.enforced);
    return refusal(settings, stream, stream.arena());
  }
  if (!settings.not_enforced.empty()) {
    settings.not_enforced.apply(headers, stream::FormatContext{.request = &headers, .info = stream.info()});
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::filters::http::local_ratelimit
