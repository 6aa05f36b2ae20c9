#include "source/extensions/filters/http/cors/filter.h"

#include <algorithm>
#include <optional>
#include <string>

#include "source/base/ascii.h"
#include "source/filter/context.h"
#include "source/http/rules.h"
#include "source/route/route.h"

namespace sluice::extensions::http_filters::cors {
namespace {

using filter::Next;
using filter::Reply;
using http::Name;
using route::CorsPolicy;
using route::PerFilterLevels;

// From the most specific policy to the least; null when `wanted` likes none.
template <typename Wanted>
const CorsPolicy* findPolicy(const PerFilterLevels& levels, Wanted wanted) {
  for (const auto* level = levels.end(); level != levels.begin();) {
    const auto* policy = route::settingsAs<CorsPolicy>(*--level);
    if (policy != nullptr && wanted(*policy)) return policy;
  }
  return nullptr;
}

std::string_view textOf(const PerFilterLevels& levels, std::string CorsPolicy::*member) {
  const CorsPolicy* policy = findPolicy(levels, [&](const CorsPolicy& one) { return !(one.*member).empty(); });
  return policy == nullptr ? std::string_view() : policy->*member;
}

bool flagOf(const PerFilterLevels& levels, std::optional<bool> CorsPolicy::*member, bool by_default) {
  const CorsPolicy* policy = findPolicy(levels, [&](const CorsPolicy& one) { return (one.*member).has_value(); });
  return policy == nullptr ? by_default : *(policy->*member);
}

bool allows(const PerFilterLevels& levels, std::string_view origin) {
  const CorsPolicy* policy = findPolicy(levels, [](const CorsPolicy& one) { return !one.origins.empty(); });
  return policy != nullptr && std::any_of(policy->origins.begin(), policy->origins.end(), [&](const auto& matcher) {
           return matcher.matches("*") || matcher.matches(origin);
         });
}

bool isPreflight(const http::RequestHeaders& headers) {
  return headers.method == "OPTIONS" && !headers.get("access-control-request-method").value_or("").empty();
}

// A list that allows what is asked for if it says "*".
void allowList(std::string_view list, std::string_view asked, const char* name, Reply& reply) {
  const std::string_view value = list == "*" ? asked : list;
  if (!value.empty()) reply.headers.emplace_back(name, value);
}

Reply preflightAnswer(const http::RequestHeaders& asked, std::string_view origin, const PerFilterLevels& policies) {
  Reply reply{200, "", "cors_response"};
  reply.as_asked = true;
  reply.headers.emplace_back("vary", "origin");
  if (!origin.empty()) reply.headers.emplace_back("access-control-allow-origin", origin);
  if (flagOf(policies, &CorsPolicy::credentials, false)) {
    reply.headers.emplace_back("access-control-allow-credentials", "true");
  }
  allowList(textOf(policies, &CorsPolicy::methods), *asked.get("access-control-request-method"),
            "access-control-allow-methods", reply);
  allowList(textOf(policies, &CorsPolicy::headers), asked.getAll("access-control-request-headers").value_or(""),
            "access-control-allow-headers", reply);
  const std::string_view max_age = textOf(policies, &CorsPolicy::max_age);
  if (!max_age.empty()) reply.headers.emplace_back("access-control-max-age", max_age);
  if (flagOf(policies, &CorsPolicy::private_network, false) &&
      asked.get("access-control-request-private-network") == "true") {
    reply.headers.emplace_back("access-control-allow-private-network", "true");
  }
  return reply;
}

// The answer differs by origin: a cache has to know, or it gives one site what was said to another.
void varyByOrigin(http::ResponseHeaders& headers) {
  bool told = false;
  for (const http::Field& field : headers) {
    if (field.id != Name::kVary) continue;
    http::forEachElement(field.value, [&told](std::string_view name) {
      told = told || name == "*" || base::equalsIgnoringCase(name, "origin");
    });
  }
  if (!told) headers.add(Name::kVary, "origin");
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const route::Match& match = context.route();
  if (match.route == nullptr || match.route->forward == nullptr) return Next{};
  policies_ = context.routeConfigs();
  if (policies_.size() == 0) policies_ = match.perFilterLevels(settings_.older_slot);
  const CorsPolicy* nearest = findPolicy(policies_, [](const CorsPolicy&) { return true; });
  if (nearest == nullptr) return Next{};
  on_ = context.sample(nearest->enabled);
  if (!on_ && !context.sample(nearest->shadow)) return Next{};
  const std::string_view origin = headers.get(Name::kOrigin).value_or("");
  if (origin.empty()) return Next{};
  const bool allowed = allows(policies_, origin);
  context.count(allowed ? settings_.origin_valid : settings_.origin_invalid);
  if (!on_) return Next{};
  // A later filter may take the header off the request.
  if (allowed) origin_ = context.arena().copy(origin);
  if (!isPreflight(headers)) return Next{};
  if (!allowed && flagOf(policies_, &CorsPolicy::forward_other_preflights, true)) return Next{};
  return preflightAnswer(headers, origin_, policies_);
}

filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!on_) return Next{};
  varyByOrigin(headers);
  if (origin_.empty()) return Next{};
  headers.set("access-control-allow-origin", origin_);
  if (flagOf(policies_, &CorsPolicy::credentials, false)) headers.set("access-control-allow-credentials", "true");
  const std::string_view exposed = textOf(policies_, &CorsPolicy::exposed);
  if (!exposed.empty()) headers.set("access-control-expose-headers", exposed);
  return Next{};
}

}  // namespace sluice::extensions::http_filters::cors
