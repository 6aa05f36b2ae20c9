#include "source/filter/rate_limits.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "source/base/host_port.h"
#include "source/base/percent.h"
#include "source/net/address.h"
#include "source/stream/format_context.h"

namespace sluice::filter {
namespace {

using route::RateLimitAction;
using Text = std::optional<std::string>;

// "1.2.3.4:80" -> "1.2.3.4"; empty for what has no host.
std::string_view hostOf(std::string_view address) {
  if (base::isAddressWithoutPort(address)) return {};
  return base::splitHostPort(address).bareHost();
}

Text maskedAddress(const RateLimitAction& action, const Context& context) {
  const std::string_view host = hostOf(context.info().downstream_remote_address);
  const bool is_v6 = host.find(':') != std::string_view::npos;
  const auto range = net::Cidr::make(host, is_v6 ? action.v6_bits : action.v4_bits);
  if (!range) return std::nullopt;
  return range->toString();
}

bool addressMatches(const RateLimitAction& action, const Context& context) {
  const auto address = net::Address::fromIp(hostOf(context.info().downstream_remote_address), 0);
  if (!address) return false;
  const bool any = net::anyContains(action.ranges, *address);
  return any == action.expect_match;
}

template <typename Matchers, typename Subject>
bool allMatch(const Matchers& matchers, const Subject& subject) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const auto& matcher) { return matcher.matches(subject); });
}

Text ifNotEmpty(std::string_view text) {
  return text.empty() ? std::nullopt : Text(text);
}

stream::FormatContext factsOf(Context& context) {
  return {.request = &context.request(),
          .response = context.response().status == 0 ? nullptr : &context.response(),
          .trailers = &context.responseTrailers(),
          .info = context.info()};
}

std::string formatted(const route::ValueFormatter& formatter, Context& context) {
  std::string out;
  formatter.format(factsOf(context), out);
  return out;
}

// Of the generic key and of matches. One that is empty is none.
Text configuredValue(const RateLimitAction& action, Context& context) {
  return ifNotEmpty(action.formatter ? formatted(*action.formatter, context) : action.value);
}

const stream::MetadataValue* findIn(const stream::MetadataFields* fields, const route::MetadataPath& at) {
  return fields == nullptr ? nullptr : stream::findMetadata(*fields, at.filter, at.path);
}

const stream::MetadataFields* dynamicMetadata(const Context& context) {
  const auto& metadata = context.info().dynamic_metadata;
  return metadata ? &metadata->fields() : nullptr;
}

// Text in metadata that is not empty.
Text textAt(const stream::MetadataFields* fields, const route::MetadataPath& at) {
  const stream::MetadataValue* found = findIn(fields, at);
  const auto* text = found == nullptr ? nullptr : std::get_if<std::string>(&found->value);
  return text == nullptr ? std::nullopt : ifNotEmpty(*text);
}

// What an action says about the request; nullopt: it does not apply, or there is no such thing. A header or parameter
// that is there and empty is told as it is: a rule must not vanish because a client leaves a value out.
Text valueOf(const RateLimitAction& action, const LimitChoice& choice, Context& context) {
  using Kind = RateLimitAction::Kind;
  const http::RequestHeaders& headers = context.request();
  const auto if_expected = [&](bool matches) {
    return matches == action.expect_match ? configuredValue(action, context) : std::nullopt;
  };
  switch (action.kind) {
    case Kind::kGenericKey:
      return configuredValue(action, context);
    case Kind::kSourceCluster:
      return std::string(choice.node_cluster);
    case Kind::kDestinationCluster:
      return ifNotEmpty(context.cluster());
    case Kind::kRemoteAddress:
      return ifNotEmpty(hostOf(context.info().downstream_remote_address));
    case Kind::kHeader: {
      const bool pseudo = action.header.starts_with(':');
      const auto found = pseudo ? headers.lookup(action.header) : headers.getAll(action.header);
      return found ? Text(*found) : std::nullopt;
    }
    case Kind::kHeaderMatch:
      return if_expected(allMatch(action.headers, headers));
    case Kind::kMaskedAddress:
      return maskedAddress(action, context);
    case Kind::kAddressMatch:
      return addressMatches(action, context) ? configuredValue(action, context) : std::nullopt;
    case Kind::kQuery: {
      const auto found = match::queryParameter(route::RequestView::of(headers).query, action.parameter);
      // One value has one name, however the client writes it.
      return found ? Text(base::percentDecoded(*found)) : std::nullopt;
    }
    case Kind::kQueryMatch:
      return if_expected(allMatch(action.query, route::RequestView::of(headers).query));
    case Kind::kDynamicMetadata:
      return textAt(dynamicMetadata(context), action.metadata);
    case Kind::kRouteMetadata:
      return textAt(context.routeMetadata(), action.metadata);
    case Kind::kExtension:
      return action.source->get(factsOf(context));
  }
  return std::nullopt;
}

// Where a default stands for a value that is not there. A match that does not apply has none.
bool hasDefault(const RateLimitAction& action, Context& context) {
  using Kind = RateLimitAction::Kind;
  if (action.default_value.empty()) return false;
  switch (action.kind) {
    case Kind::kHeaderMatch:
      return allMatch(action.headers, context.request()) == action.expect_match;
    case Kind::kQueryMatch:
      return allMatch(action.query, route::RequestView::of(context.request()).query) == action.expect_match;
    case Kind::kAddressMatch:
      return addressMatches(action, context);
    default:
      return true;
  }
}

// False: there is no descriptor.
bool extend(const RateLimitAction& action, const LimitChoice& choice, Context& context, Descriptor& out) {
  Text value = valueOf(action, choice, context);
  if (!value && hasDefault(action, context)) value = action.default_value;
  if (!value) return action.skip_if_absent;
  out.entries.emplace_back(action.key, *std::move(value));
  return true;
}

std::optional<uint64_t> hitsOf(const route::RateLimit& limit, Context& context) {
  if (!limit.hits_format) return limit.hits_addend;
  uint64_t hits = 0;
  if (!absl::SimpleAtoi(formatted(*limit.hits_format, context), &hits) || hits > route::kMaxHitsAddend) {
    return std::nullopt;
  }
  return hits;
}

// Seconds to years, by the names of type.v3.RateLimitUnit; 0 for none.
int unitOf(std::string_view name) {
  static constexpr std::string_view kNames[] = {"UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"};
  for (int unit = 1; unit < 7; ++unit) {
    if (name == kNames[unit]) return unit;
  }
  return 0;
}

// Of {requests_per_unit: 42, unit: HOUR}; nullopt: it is something else.
std::optional<route::LimitOverride> limitIn(const stream::MetadataValue* value) {
  const auto* fields = value == nullptr ? nullptr : std::get_if<stream::MetadataFields>(&value->value);
  if (fields == nullptr) return std::nullopt;
  std::optional<uint32_t> requests;
  route::LimitOverride out;
  for (const stream::MetadataField& field : *fields) {
    if (const auto* number = std::get_if<double>(&field.value.value); field.name == "requests_per_unit" && number) {
      if (*number >= 0 && *number <= UINT32_MAX) requests = static_cast<uint32_t>(*number);
    }
    const auto* text = std::get_if<std::string>(&field.value.value);
    if (field.name == "unit" && text != nullptr) out.unit = unitOf(*text);
  }
  if (!requests || out.unit == 0) return std::nullopt;
  out.requests_per_unit = *requests;
  return out;
}

std::optional<route::LimitOverride> overrideOf(const route::RateLimit& limit, Context& context) {
  if (limit.limit_metadata.filter.empty()) return limit.limit;
  return limitIn(findIn(dynamicMetadata(context), limit.limit_metadata));
}

bool counts(const route::RateLimit& limit, const LimitChoice& choice, Context& context) {
  if (limit.stage != choice.stage || limit.at_end != choice.at_end) return false;
  if (!limit.has_disable_key) return true;
  return !choice.any_disable_key && context.sample(limit.enabled);
}

void describeList(const route::RateLimitList& limits, const LimitChoice& choice, Context& context,
                  std::vector<Descriptor>& out) {
  for (const route::RateLimit& limit : limits) {
    if (!counts(limit, choice, context)) continue;
    Descriptor descriptor;
    const bool whole = std::all_of(limit.actions.begin(), limit.actions.end(), [&](const RateLimitAction& action) {
      return extend(action, choice, context, descriptor);
    });
    if (!whole || descriptor.entries.empty()) continue;
    descriptor.hits_addend = hitsOf(limit, context);
    descriptor.negative_hits = limit.negative_hits;
    descriptor.limit = overrideOf(limit, context);
    descriptor.quota_headers = limit.quota_headers;
    out.push_back(std::move(descriptor));
  }
}

}  // namespace

std::vector<Descriptor> describe(const LimitChoice& choice, Context& context) {
  std::vector<Descriptor> out;
  if (choice.own != nullptr && !choice.own->empty()) {
    describeList(*choice.own, choice, context, out);
    return out;
  }
  const auto* limits = dynamic_cast<const route::RouteRateLimits*>(context.route().perFilter(choice.slot));
  if (limits == nullptr) return out;
  describeList(limits->of_route, choice, context, out);
  using route::HostLimits;
  if (choice.host_limits == HostLimits::kIgnore) return out;
  if (choice.host_limits == HostLimits::kInclude || limits->include_host || limits->of_route.empty()) {
    describeList(*limits->of_host, choice, context, out);
  }
  return out;
}

}  // namespace sluice::filter
