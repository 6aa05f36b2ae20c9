#include "source/extensions/filters/http/local_ratelimit/filter.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::local_ratelimit {
namespace {

using route::QuotaHeaders;

// Whole seconds until there is a token again.
int64_t secondsUntilNext(const TokenBucket& bucket, TokenBucket::TimePoint now) {
  return std::chrono::ceil<std::chrono::seconds>(bucket.untilNext(now)).count();
}

}  // namespace

Limiter::Verdict Filter::take(filter::Context& context) const {
  const TokenBucket::TimePoint now = context.now();
  Limiter* limiter = settings_->limiter.get();
  if (settings_->per_connection) {
    limiter = &settings_->per_connection->of(context.worker(), context.info().connection_id, now);
  }
  if (limiter == nullptr) return {};
  if (!settings_->has_descriptors) return limiter->take({}, now);
  filter::LimitChoice choice;
  choice.stage = settings_->stage;
  choice.any_disable_key = true;
  choice.own = &settings_->limits;
  choice.host_limits = settings_->host_limits;
  choice.slot = settings_->limits_slot;
  choice.node_cluster = settings_->node_cluster;
  return limiter->take(filter::describe(choice, context), now);
}

void Filter::tellQuota(http::ResponseHeaders& headers, filter::Context& context) const {
  if (verdict_.bucket == nullptr) return;
  const bool told = verdict_.quota_headers == QuotaHeaders::kAsFilter ? settings_->quota_headers
                                                                      : verdict_.quota_headers == QuotaHeaders::kOn;
  if (!told) return;
  headers.add("x-ratelimit-limit", absl::StrCat(verdict_.bucket->maxTokens()));
  headers.add("x-ratelimit-remaining", absl::StrCat(verdict_.bucket->remaining()));
  headers.add("x-ratelimit-reset", absl::StrCat(secondsUntilNext(*verdict_.bucket, context.now())));
}

filter::Reply Filter::refusal(filter::Context& context) const {
  filter::Reply reply{
      settings_->status, "local_rate_limited", "local_rate_limited", {}, stream::ResponseFlag::kRateLimited};
  if (settings_->resource_exhausted) reply.grpc_status = http::grpc::kResourceExhausted;
  http::ResponseHeaders added(context.arena());
  if (settings_->retry_after && verdict_.bucket != nullptr) {
    added.add(http::Name::kRetryAfter,
              absl::StrCat(std::max<int64_t>(1, secondsUntilNext(*verdict_.bucket, context.now()))));
  }
  if (!settings_->response.empty()) {
    settings_->response.apply(added, stream::FormatContext{.request = &context.request(), .info = context.info()});
  }
  for (const http::Field& field : added) reply.headers.emplace_back(field.name, field.value);
  return reply;
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  settings_ = &context.settingsOr(*settings_);
  const Settings& settings = *settings_;
  if (!context.sample(settings.enabled)) return filter::Next{};
  context.count(settings.stats.enabled);
  verdict_ = take(context);
  if (verdict_.allowed) {
    context.count(settings.stats.ok);
    return filter::Next{};
  }
  context.count(settings.stats.rate_limited);
  if (context.sample(settings.enforced)) {
    context.count(settings.stats.enforced);
    return refusal(context);
  }
  if (!settings.not_enforced.empty()) {
    settings.not_enforced.apply(headers, stream::FormatContext{.request = &headers, .info = context.info()});
  }
  return filter::Next{};
}

// Of refusals, too.
filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  tellQuota(headers, context);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::local_ratelimit
