#include "source/extensions/filters/http/rate_limit_quota/filter.h"

#include "source/base/utf8.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/match/exchange.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

constexpr std::string_view kMetadata = "envoy.extensions.http_filters.rate_limit_quota.bucket";
constexpr std::string_view kPreviewMetadata = "envoy.extensions.http_filters.rate_limit_quota.preview_bucket";

// The first action that would have been taken if its entry did not keep matching.
struct Preview : match::Noted {
  void onAction(match::Action noted) override {
    if (!action) action = noted;
  }
  std::optional<match::Action> action;
};

// Empty: a value is absent, or there are none. Values that are empty have no key.
BucketId idOf(const BucketSettings& settings, const match::Data& data) {
  BucketId out;
  match::Scratch scratch;
  for (const auto& [key, text, input] : settings.id) {
    if (input == nullptr) {
      out.emplace_back(key, text);
      continue;
    }
    const auto value = input->get(data, scratch).text;
    if (!value) return {};
    if (!value->empty()) out.emplace_back(key, base::asUtf8(*value));
  }
  return out;
}

}  // namespace

Verdict Filter::take(const BucketSettingsPtr& bucket, const match::Data& data, const std::string& domain,
                     std::string_view metadata, filter::Context& context) const {
  const BucketId id = idOf(*bucket, data);
  if (id.empty() || settings_.quotas == nullptr) return withoutBucket(*bucket, context.now());
  for (const auto& [key, value] : id) context.info().metadata().set(metadata, key, {value});
  return settings_.quotas->take(context.worker(), domain, id, bucket, context.now());
}

void Filter::count(Verdict verdict, filter::Context& context) const {
  const Stats& stats = settings_.stats;
  if (!verdict.allowed) context.count(stats.over_limit);
  if (verdict.basis == Basis::kNoAssignment) context.count(stats.no_assignment);
  if (verdict.basis == Basis::kExpired) context.count(stats.expired_assignment);
  if (verdict.basis == Basis::kNoBucket) context.count(stats.no_bucket);
}

filter::Reply Filter::refusal(const BucketSettings::Denial& denial, filter::Context& context) {
  filter::Reply reply{denial.status, denial.body, "rate_limited_by_quota", {}, stream::ResponseFlag::kRateLimited};
  if (http::grpc::isGrpcRequest(context.request())) {
    reply.grpc_status = denial.grpc_status;
    reply.body = denial.grpc_message;
  }
  if (denial.headers.empty()) return reply;
  http::ResponseHeaders added(context.arena());
  denial.headers.apply(added, stream::FormatContext{.request = &context.request(), .info = context.info()});
  for (const http::Field& field : added) reply.headers.emplace_back(field.name, field.value);
  return reply;
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (!context.sample(settings_.enabled)) return filter::Next{};
  const std::string* domain = &settings_.domain;
  const Buckets* buckets = &settings_.buckets;
  for (const route::PerFilterConfig* const level : context.routeConfigs()) {
    const auto* const own = route::settingsAs<RouteSettings>(level);
    if (own == nullptr) continue;
    if (!own->domain.empty()) domain = &own->domain;
    if (own->buckets.matcher) buckets = &own->buckets;
  }

  const match::Exchange exchange(headers, &context.info(), buckets->needs);
  Preview preview;
  const match::Result result = buckets->matcher->evaluate(exchange.data(), &preview);
  if (preview.action) {
    // It is counted and reported, and refuses nobody.
    take(buckets->buckets[*preview.action], exchange.data(), *domain, kPreviewMetadata, context);
  }
  if (result.state != match::Result::State::kMatched) return filter::Next{};

  const BucketSettingsPtr& bucket = buckets->buckets[result.action];
  const Verdict verdict = take(bucket, exchange.data(), *domain, kMetadata, context);
  count(verdict, context);
  if (verdict.allowed) return filter::Next{};
  if (context.sample(settings_.enforced)) return refusal(bucket->denial, context);
  settings_.not_enforced.apply(headers, stream::FormatContext{.request = &headers, .info = context.info()});
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
