#include "source/explain/describe.h"

#include <array>

#include "envoy/config/core/v3/base.pb.h"
#include "source/base/text.h"
#include "source/config/redact.h"

namespace sluice::explain {
namespace {

std::string_view kindOf(route::PathKind kind) {
  switch (kind) {
    case route::PathKind::kPrefix:
      return "prefix";
    case route::PathKind::kExact:
      return "path";
    case route::PathKind::kSeparatedPrefix:
      return "path_separated_prefix";
    case route::PathKind::kRegex:
      return "safe_regex";
    case route::PathKind::kConnect:
      return "connect_matcher";
  }
  return "";
}

std::string_view actionOf(route::HeaderAddition::Action action) {
  using Action = route::HeaderAddition::Action;
  switch (action) {
    case Action::kAppendIfExistsOrAdd:
      return "append";
    case Action::kAddIfAbsent:
      return "add_if_absent";
    case Action::kOverwriteIfExistsOrAdd:
      return "overwrite";
    case Action::kOverwriteIfExists:
      return "overwrite_if_exists";
  }
  return "";
}

}  // namespace

std::string shownValue(const std::string& name, const std::string& value) {
  envoy::config::core::v3::HeaderValue header;
  header.set_key(name);
  header.set_value(value);
  config::redact(header);
  return header.value();
}

std::string quoted(std::string_view what, std::string_view name) {
  return name.empty() ? std::string(what) : base::strCat(what, " '", name, "'");
}

std::string describeMatch(const route::RouteMatcher& matcher) {
  std::string out(kindOf(matcher.kind));
  if (!matcher.path.empty()) base::strAppend(out, " ", matcher.path);
  if (!matcher.case_sensitive) base::strAppend(out, ", whatever its case");
  if (matcher.conditions == nullptr) return out;
  const route::Conditions& asked = *matcher.conditions;
  for (const auto& each : asked.headers) base::strAppend(out, ", header ", each.name);
  for (const auto& each : asked.query) base::strAppend(out, ", query parameter ", each.name);
  for (const auto& each : asked.cookies) base::strAppend(out, ", cookie ", each.name);
  if (asked.grpc) base::strAppend(out, ", gRPC");
  if (asked.stream != nullptr && asked.stream->fraction) {
    base::strAppend(out, ", ", asked.stream->fraction->numerator, " of ", asked.stream->fraction->denominator);
  }
  return out;
}

std::string failedOf(const route::Conditions& asked, const route::RequestView& view) {
  for (const auto& each : asked.headers) {
    if (!each.matches(view.headers)) return base::strCat("header ", each.name, " does not match");
  }
  for (const auto& each : asked.query) {
    if (!each.matches(view.query)) return base::strCat("query parameter ", each.name, " does not match");
  }
  for (const auto& each : asked.cookies) {
    if (!each.matches(view.headers)) return base::strCat("cookie ", each.name, " does not match");
  }
  if (asked.stream != nullptr && !asked.stream->hold(view.around)) {
    return "its share of requests, or what it asks of certificate, metadata or filter state, does not hold";
  }
  return asked.grpc ? "the request is not gRPC" : "its conditions do not hold";
}

void describeChanges(const route::HeaderMutations& changes, const std::string& source,
                     const stream::FormatContext& context, std::vector<HeaderChange>& out) {
  for (const std::string& name : changes.remove) out.push_back({"remove", name, "", source});
  for (const auto& names : changes.remove_matching) out.push_back({"remove", names.text, "", source});
  for (const route::HeaderAddition& each : changes.add) {
    std::string value = each.value;
    // The environment is that of who is asked, and may hold credentials: its names are told.
    if (each.formatter != nullptr && value.find("%ENVIRONMENT(") == std::string::npos) {
      value.clear();
      each.formatter->format(context, value);
    }
    out.push_back({std::string(actionOf(each.action)), each.name, shownValue(each.name, value), source});
  }
}

RetryPart describeRetries(const route::RetryPolicy& policy) {
  static constexpr auto kWords = std::to_array<std::string_view>(
      {"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx",
       "refused-stream", "retriable-status-codes", "retriable-headers", "cancelled", "deadline-exceeded", "internal",
       "resource-exhausted", "unavailable"});
  RetryPart out;
  for (const std::string_view word : kWords) {
    if ((policy.on & route::parseRetryOn(word)) != 0) out.on.emplace_back(word);
  }
  out.num_retries = policy.num_retries;
  out.per_try_timeout = policy.per_try_timeout;
  out.per_try_idle_timeout = policy.per_try_idle_timeout;
  out.base_interval = policy.base_interval;
  out.max_interval = policy.max_interval;
  out.status_codes = policy.status_codes;
  return out;
}

std::string describeTerm(const route::HashTerm& term) {
  using Kind = route::HashTerm::Kind;
  const std::string_view end = term.terminal ? ", terminal" : "";
  switch (term.kind) {
    case Kind::kHeader:
      return base::strCat("header ", term.name, end);
    case Kind::kCookie:
      return base::strCat("cookie ", term.name, term.makes_cookie ? ", made where there is none" : "", end);
    case Kind::kSourceIp:
      return base::strCat("source_ip", end);
    case Kind::kQueryParameter:
      return base::strCat("query_parameter ", term.name, end);
    case Kind::kFilterState:
      return base::strCat("filter_state ", term.name, end);
  }
  return {};
}

}  // namespace sluice::explain
