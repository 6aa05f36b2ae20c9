#include "source/extensions/filters/http/csrf/filter.h"

#include <algorithm>
#include <string_view>

#include "source/base/ascii.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::csrf {
namespace {

using http::Name;

bool changesSomething(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "DELETE" || method == "PATCH";
}

// The host with its port of a URL; what is none, as the origin "null" of a page without one, stays as it is.
std::string_view hostOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  url.remove_prefix(scheme + 3);
  const std::string_view authority = url.substr(0, url.find_first_of("/?#\\"));
  return authority.substr(authority.rfind('@') + 1);
}

// Where the page is from that sent the request; empty: it does not say.
std::string_view sourceOf(const http::RequestHeaders& headers) {
  const std::string_view origin = hostOf(headers.get(Name::kOrigin).value_or(""));
  return origin.empty() ? hostOf(headers.get(Name::kReferer).value_or("")) : origin;
}

}  // namespace

bool Filter::isValid(const Policy& policy, const http::RequestHeaders& headers, filter::Context& context) const {
  const std::string_view source = sourceOf(headers);
  if (source.empty()) {
    context.count(settings_.missing_source_origin);
    return false;
  }
  const bool valid = base::equalsIgnoringCase(source, headers.authority) ||
                     std::any_of(policy.additional_origins.begin(), policy.additional_origins.end(),
                                 [source](const match::StringMatcher& matcher) { return matcher.matches(source); });
  context.count(valid ? settings_.request_valid : settings_.request_invalid);
  return valid;
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Policy& policy = context.settingsOr(settings_.policy);
  if (!changesSomething(headers.method)) return filter::Next{};
  const bool enforced = context.sample(policy.enabled);
  if (!enforced && !context.sample(policy.shadow)) return filter::Next{};
  if (isValid(policy, headers, context) || !enforced) return filter::Next{};
  return filter::Reply{403, "Invalid origin", "csrf_origin_mismatch"};
}

}  // namespace sluice::extensions::http_filters::csrf
