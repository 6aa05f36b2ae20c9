#include "source/extensions/filters/http/policy/filter.h"

#include <string>
#include <string_view>
#include <utility>

#include "source/filter/context.h"
#include "source/filter/rbac/request.h"
#include "source/route/table.h"

namespace sluice::extensions::http_filters::policy {
namespace {

constexpr std::string_view kMetadata = "sluice.policy";

// With the cluster that the chain will choose by what filters in front have left: one behind may answer in its stead.
route::Match routeOf(const http::RequestHeaders& headers, filter::Context& context) {
  route::Match out = context.route();
  if (out.choice != nullptr) route::Table::chooseByMetadata(headers, context.info(), out);
  return out;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (std::optional<filter::Reply> refusal = judge(headers, context)) return *std::move(refusal);
  return filter::Next{};
}

std::optional<filter::Reply> Filter::onRouteChanged(const http::RequestHeaders& headers, filter::Context& context) {
  const route::Match match = routeOf(headers, context);
  // Of a user's share it is told at the end of the chain in any case: what filters behind have done with the head is
  // theirs.
  const bool is_known = match.choice != nullptr && match.choice == share_ && headers.path == path_;
  if (is_known && match.route->forward->choice->split != nullptr) return std::nullopt;
  return judge(headers, context);
}

std::optional<filter::Reply> Filter::judge(const http::RequestHeaders& headers, filter::Context& context) {
  const route::Match match = routeOf(headers, context);
  share_ = match.choice;
  path_ = headers.path;
  const PolicyLevels levels(settings_.policies, context.routeConfigs(match));
  const bool again = std::exchange(judged_, true);
  if (levels.foreign()) {
    context.count(settings_.denied);
    return filter::Reply{500, "", "policy_settings_of_another_filter"};
  }
  const filter::rbac::RequestSubject request(headers, context, levels.needs());
  std::string reported;
  const Rule* const denial = levels.firstDenial(request.subject(), [&](const Rule& rule) {
    if (again) return;
    context.count(settings_.reported);
    if (rule.counts) context.count(rule.counts->reported);
    reported.append(reported.empty() ? "" : ",").append(rule.place);
  });
  if (!reported.empty()) context.setMetadataText(kMetadata, "reported", reported);
  if (denial != nullptr) return refuse(*denial, context);
  if (!again) context.count(settings_.allowed);
  return std::nullopt;
}

filter::Reply Filter::refuse(const Rule& rule, filter::Context& context) const {
  context.count(settings_.denied);
  if (rule.counts) context.count(rule.counts->denied);
  context.setMetadataText(kMetadata, "denied", rule.place);
  if (!rule.note.empty()) context.setMetadataText(kMetadata, "details", rule.note);
  return {rule.status, rule.message, context.arena().concat("policy_denied[", rule.place, "]")};
}

}  // namespace sluice::extensions::http_filters::policy
