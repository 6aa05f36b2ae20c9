#include "source/extensions/filters/http/ratelimit/filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::ratelimit {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::RequestHeaders;
using route::QuotaHeaders;

namespace {

// A call whose answer nobody waits for.
filter::HttpCallRequest detachedCall(const filter::GrpcTarget& target, std::string_view message) {
  filter::HttpCallRequest call;
  call.cluster = target.cluster;
  call.method = "POST";
  call.path = kMethodPath;
  call.authority = target.authority.empty() ? target.cluster : target.authority;
  call.headers = target.metadata;
  call.headers.emplace_back("content-type", "application/grpc");
  call.headers.emplace_back("te", "trailers");
  call.body = http::grpc::framed(message);
  call.timeout = target.timeout;
  return call;
}

}  // namespace

std::vector<Descriptor> Filter::describe(filter::Context& context, bool at_end) const {
  const auto* route = context.routeConfigAs<RouteSettings>();
  const bool route_has_own = route != nullptr && !route->limits.empty();
  filter::LimitChoice choice;
  choice.stage = settings_.stage;
  choice.at_end = at_end;
  choice.own = route_has_own ? &route->limits : &settings_.limits;
  if (route != nullptr) choice.host_limits = route->host_limits;
  choice.slot = settings_.limits_slot;
  choice.node_cluster = settings_.node_cluster;
  return filter::describe(choice, context);
}

std::string Filter::question(const filter::Context& context, const std::vector<Descriptor>& descriptors) const {
  const auto* route = context.routeConfigAs<RouteSettings>();
  return encodeQuestion(route != nullptr && !route->domain.empty() ? route->domain : settings_.domain, descriptors);
}

HookResult Filter::onRequestHeaders(RequestHeaders& headers, filter::Context& context) {
  if (!context.sample(settings_.enabled) || !filter::concerns(settings_.request_type, headers)) return Next{};
  enabled_ = true;
  const std::vector<Descriptor> descriptors = describe(context, false);
  if (descriptors.empty()) return Next{};
  for (const Descriptor& descriptor : descriptors) {
    const bool by_default = descriptor.quota_headers == QuotaHeaders::kAsFilter;
    shown_.push_back(by_default ? settings_.quota_headers : descriptor.quota_headers == QuotaHeaders::kOn);
  }
  asking_ = true;
  token_ = context.resumeToken();
  call_.start(context.calls(), settings_.target, kMethodPath, question(context, descriptors),
              [this, &context](int status, std::string_view message) { answered(status, message, context); });
  return filter::Pause{};
}

void Filter::tellQuota(Verdict& verdict) const {
  const std::optional<Quota> quota = quotaOf(verdict.statuses, shown_);
  if (!quota) return;
  auto& set = verdict.response_headers.set;
  set.push_back({"x-ratelimit-limit", quota->limit});
  set.push_back({"x-ratelimit-remaining", absl::StrCat(quota->remaining)});
  set.push_back({"x-ratelimit-reset", absl::StrCat(quota->reset_seconds)});
}

void Filter::answered(int status, std::string_view message, filter::Context& context) {
  asking_ = false;
  if (!token_) return;  // the stream was answered meanwhile
  std::optional<Verdict> verdict;
  if (status == http::grpc::kOk) verdict = decodeVerdict(message);
  if (!verdict) {
    if (std::optional<Reply> reply = failed(context)) return token_.reply(*std::move(reply));
    return token_.resume();
  }
  for (stream::MetadataField& field : verdict->metadata) {
    context.info().metadata().set(settings_.metadata_namespace, field.name, std::move(field.value));
  }
  tellQuota(*verdict);
  context.count(verdict->over_limit ? settings_.stats.over_limit : settings_.stats.ok);
  if (verdict->over_limit) {
    if (context.sample(settings_.enforced)) return refuse(*verdict, context);
    if (settings_.ratelimited_header) verdict->response_headers.set.push_back({"x-envoy-ratelimited", "true"});
  }
  applyChanges(verdict->request_headers, {}, context.request());
  response_changes_ = std::move(verdict->response_headers);
  token_.resume();
}

void Filter::refuse(Verdict& verdict, filter::Context& context) {
  Reply reply{
      settings_.status, std::move(verdict.body), "request_rate_limited", {}, stream::ResponseFlag::kRateLimited};
  if (settings_.resource_exhausted) reply.grpc_status = http::grpc::kResourceExhausted;
  http::ResponseHeaders headers(context.arena());
  if (settings_.ratelimited_header) headers.add("x-envoy-ratelimited", "true");
  if (settings_.retry_after) {
    int64_t wait = 1;  // until all that is used up is there again
    for (const LimitStatus& status : verdict.statuses) {
      if (status.over_limit) wait = std::max(wait, status.reset_seconds);
    }
    headers.set(http::Name::kRetryAfter, absl::StrCat(wait));
  }
  applyChanges(verdict.response_headers, {}, headers);
  if (!settings_.response.empty()) {
    settings_.response.apply(headers, stream::FormatContext{.request = &context.request(), .info = context.info()});
  }
  for (const auto& field : headers) reply.headers.emplace_back(field.name, field.value);
  token_.reply(std::move(reply));
}

std::optional<Reply> Filter::failed(filter::Context& context) {
  context.count(settings_.stats.error);
  const bool deny = settings_.failure_mode_deny_share ? context.sample(*settings_.failure_mode_deny_share)
                                                      : settings_.failure_mode_deny;
  if (!deny) {
    context.count(settings_.stats.failure_mode_allowed);
    return std::nullopt;
  }
  return Reply{settings_.status_on_error, "", "rate_limiter_error", {}, stream::ResponseFlag::kRateLimitServiceError};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!response_changes_.empty()) applyChanges(response_changes_, {}, headers);
  return Next{};
}

void Filter::onStreamEnd(filter::Context& context) {
  // One that was still being asked about came to nothing.
  if (!enabled_ || asking_) return;
  const std::vector<Descriptor> descriptors = describe(context, true);
  if (descriptors.empty()) return;
  const bool sent = context.calls().sendDetached(detachedCall(settings_.target, question(context, descriptors)));
  if (!sent) context.count(settings_.stats.error);
}

}  // namespace sluice::extensions::http_filters::ratelimit
