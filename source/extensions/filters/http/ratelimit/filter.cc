#include "source/extensions/filters/http/ratelimit/filter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/base/host_port.h"
#include "source/base/percent.h"
#include "source/base/utf8.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/net/address.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::ratelimit {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::RequestHeaders;
using route::RateLimitAction;

namespace {

// "1.2.3.4:80" -> "1.2.3.4"; empty for what has no host.
std::string_view hostOf(std::string_view address) {
  if (base::isAddressWithoutPort(address)) return {};
  return base::splitHostPort(address).bareHost();
}

// Protobuf has no strings but UTF-8: a service could not even read the question.
bool canBeSent(const std::vector<Descriptor>& descriptors) {
  return std::all_of(descriptors.begin(), descriptors.end(), [](const Descriptor& descriptor) {
    return std::all_of(descriptor.entries.begin(), descriptor.entries.end(),
                       [](const auto& entry) { return base::isUtf8(entry.second); });
  });
}

std::optional<std::string> maskedAddress(const RateLimitAction& action, const filter::Context& context) {
  const std::string_view host = hostOf(context.info().downstream_remote_address);
  const bool is_v6 = host.find(':') != std::string_view::npos;
  const auto range = net::Cidr::make(host, is_v6 ? action.v6_bits : action.v4_bits);
  if (!range) return std::nullopt;
  return range->toString();
}

bool addressMatches(const RateLimitAction& action, const filter::Context& context) {
  const auto address = net::Address::fromIp(hostOf(context.info().downstream_remote_address), 0);
  if (!address) return false;
  const bool any = net::anyContains(action.ranges, *address);
  return any == action.expect_match;
}

template <typename Matchers, typename Subject>
bool allMatch(const Matchers& matchers, const Subject& subject) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const auto& matcher) { return matcher.matches(subject); });
}

std::optional<std::string> ifNotEmpty(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

// What an action says about the request; nullopt: it does not apply, or there is no such thing. Something that is there
// and empty is told as it is: a rule must not vanish because a client leaves a value out.
std::optional<std::string> valueOf(const RateLimitAction& action, const Settings& settings, filter::Context& context) {
  using Kind = RateLimitAction::Kind;
  const RequestHeaders& headers = context.request();
  const auto if_expected = [&action](bool matches) {
    return matches == action.expect_match ? std::optional(action.value) : std::nullopt;
  };
  switch (action.kind) {
    case Kind::kGenericKey:
      return action.value;
    case Kind::kSourceCluster:
      return settings.node_cluster;
    case Kind::kDestinationCluster:
      return ifNotEmpty(context.cluster());
    case Kind::kRemoteAddress:
      return ifNotEmpty(hostOf(context.info().downstream_remote_address));
    case Kind::kHeader: {
      const bool pseudo = action.header.starts_with(':');
      const auto found = pseudo ? headers.lookup(action.header) : headers.getAll(action.header);
      return found ? std::optional<std::string>(*found) : std::nullopt;
    }
    case Kind::kHeaderMatch:
      return if_expected(allMatch(action.headers, headers));
    case Kind::kMaskedAddress:
      return maskedAddress(action, context);
    case Kind::kAddressMatch:
      return addressMatches(action, context) ? std::optional(action.value) : std::nullopt;
    case Kind::kQuery: {  // one value has one name at the service, however the client writes it
      const auto found = match::queryParameter(route::RequestView::of(headers).query, action.parameter);
      // One value has one name at the service, however the client writes it.
      return found ? std::optional(base::percentDecoded(*found)) : std::nullopt;
    }
    case Kind::kQueryMatch:
      return if_expected(allMatch(action.query, route::RequestView::of(headers).query));
  }
  return std::nullopt;
}

// False: there is no descriptor.
bool extend(const RateLimitAction& action, const Settings& settings, filter::Context& context, Descriptor& out) {
  std::optional<std::string> value = valueOf(action, settings, context);
  if (!value) return action.skip_if_absent;
  out.entries.emplace_back(action.key, *std::move(value));
  return true;
}

}  // namespace

void Filter::describe(const route::RateLimitList& limits, filter::Context& context,
                      std::vector<Descriptor>& out) const {
  for (const route::RateLimit& limit : limits) {
    if (limit.stage != settings_.stage) continue;
    Descriptor descriptor{{}, limit.hits_addend};
    const bool whole = std::all_of(limit.actions.begin(), limit.actions.end(), [&](const RateLimitAction& action) {
      return extend(action, settings_, context, descriptor);
    });
    if (whole && !descriptor.entries.empty()) out.push_back(std::move(descriptor));
  }
}

std::vector<Descriptor> Filter::describe(filter::Context& context, const RouteSettings* route) const {
  std::vector<Descriptor> out;
  const bool route_has_own = route != nullptr && !route->limits.empty();
  if (route_has_own || !settings_.limits.empty()) {
    describe(route_has_own ? route->limits : settings_.limits, context, out);
    return out;
  }
  const auto* limits = dynamic_cast<const route::RouteRateLimits*>(context.route().perFilter(settings_.limits_slot));
  if (limits == nullptr) return out;
  describe(limits->of_route, context, out);
  using HostLimits = RouteSettings::HostLimits;
  const HostLimits host = route != nullptr ? route->host_limits : HostLimits::kIfRouteHasNone;
  const bool route_has_some = !limits->of_route.empty();
  if (host == HostLimits::kIgnore) return out;
  if (host == HostLimits::kInclude || limits->include_host || !route_has_some) describe(*limits->of_host, context, out);
  return out;
}

HookResult Filter::onRequestHeaders(RequestHeaders&, filter::Context& context) {
  const auto* route = context.routeConfigAs<RouteSettings>();
  const std::vector<Descriptor> descriptors = describe(context, route);
  if (descriptors.empty()) return Next{};
  if (!canBeSent(descriptors)) {
    if (std::optional<Reply> reply = failed(context)) return *std::move(reply);
    return Next{};
  }
  const std::string& domain = route != nullptr && !route->domain.empty() ? route->domain : settings_.domain;
  token_ = context.resumeToken();
  call_.start(context.calls(), settings_.target, kMethodPath, encodeQuestion(domain, descriptors),
              [this, &context](int status, std::string_view message) { answered(status, message, context); });
  return filter::Pause{};
}

void Filter::answered(int status, std::string_view message, filter::Context& context) {
  if (!token_) return;  // the stream was answered meanwhile
  std::optional<Verdict> verdict;
  if (status == http::grpc::kOk) verdict = decodeVerdict(message);
  if (!verdict) {
    if (std::optional<Reply> reply = failed(context)) return token_.reply(*std::move(reply));
    return token_.resume();
  }
  if (settings_.quota_headers && verdict->quota) {
    auto& set = verdict->response_headers.set;
    set.push_back({"x-ratelimit-limit", verdict->quota->limit});
    set.push_back({"x-ratelimit-remaining", absl::StrCat(verdict->quota->remaining)});
    set.push_back({"x-ratelimit-reset", absl::StrCat(verdict->quota->reset_seconds)});
  }
  if (verdict->over_limit) return refuse(*verdict, context);
  context.count(settings_.stats.ok);
  applyChanges(verdict->request_headers, {}, context.request());
  response_changes_ = std::move(verdict->response_headers);
  token_.resume();
}

void Filter::refuse(Verdict& verdict, filter::Context& context) {
  context.count(settings_.stats.over_limit);
  Reply reply{
      settings_.status, std::move(verdict.body), "request_rate_limited", {}, stream::ResponseFlag::kRateLimited};
  reply.grpc_status = settings_.resource_exhausted ? http::grpc::kResourceExhausted : http::grpc::kUnavailable;
  http::ResponseHeaders headers(context.arena());
  if (settings_.ratelimited_header) headers.add("x-envoy-ratelimited", "true");
  applyChanges(verdict.response_headers, {}, headers);
  if (!settings_.response.empty()) {
    settings_.response.apply(headers, stream::FormatContext{.request = &context.request(), .info = context.info()});
  }
  for (const auto& field : headers) reply.headers.emplace_back(field.name, field.value);
  token_.reply(std::move(reply));
}

std::optional<Reply> Filter::failed(filter::Context& context) {
  context.count(settings_.stats.error);
  if (!settings_.failure_mode_deny) {
    context.count(settings_.stats.failure_mode_allowed);
    return std::nullopt;
  }
  return Reply{settings_.status_on_error, "", "rate_limiter_error", {}, stream::ResponseFlag::kRateLimitServiceError};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!response_changes_.empty()) applyChanges(response_changes_, {}, headers);
  return Next{};
}

}  // namespace sluice::extensions::http_filters::ratelimit
