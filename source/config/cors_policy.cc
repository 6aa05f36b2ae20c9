#include "source/config/cors_policy.h"

#include <algorithm>
#include <string_view>

#include "source/http/rules.h"

namespace sluice::config {
namespace {

void checkValue(std::string_view value, std::string_view field, const Context& context) {
  if (!http::validValue(value)) context.child(field).error("has a control character, which no header may hold");
}

bool admitsAll(const match::StringMatcher& matcher) {
  return matcher.matches("*");
}

}  // namespace

void checkCorsPolicy(const route::CorsPolicy& policy, const Context& context) {
  checkValue(policy.methods, "allow_methods", context);
  checkValue(policy.headers, "allow_headers", context);
  checkValue(policy.exposed, "expose_headers", context);
  checkValue(policy.max_age, "max_age", context);
  const bool sound = std::all_of(policy.origins.begin(), policy.origins.end(), [](const match::StringMatcher& matcher) {
    return matcher.kind != match::StringMatcher::Kind::kRegex || matcher.regex != nullptr;
  });
  if (sound && policy.credentials.value_or(false) &&
      std::any_of(policy.origins.begin(), policy.origins.end(), admitsAll)) {
    context.child("allow_credentials")
        .warn("lets every site on the web act as its visitors here, because every origin is allowed; name the origins");
  }
}

}  // namespace sluice::config
