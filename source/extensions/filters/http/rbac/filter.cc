#include "source/extensions/filters/http/rbac/filter.h"

#include <cstdint>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/rbac/request.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::rbac {
namespace {

using filter::rbac::Decision;
using filter::rbac::Subject;

constexpr std::string_view kMetadata = "envoy.filters.http.rbac";

uint8_t needsOf(const Side& side) {
  return side.engine ? side.engine->needs() : uint8_t{0};
}

// Asks one side, counts what it says and leaves it for others.
Decision ask(const Side& side, const Counts& counts, const Subject& subject, filter::Context& context) {
  const Decision decision = side.engine->decide(subject);
  const auto count = [&](const Counts& of) { context.count(decision.allowed ? of.allowed : of.denied); };
  count(counts);
  if (decision.policy != Decision::kNone) {
    if (!side.policies.empty()) count(side.policies[decision.policy]);
    context.setMetadataText(kMetadata, side.policy_key, side.engine->nameOf(decision));
  }
  context.setMetadataText(kMetadata, side.result_key, decision.allowed ? "allowed" : "denied");
  return decision;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const auto& [enforced, shadow] = context.settingsOr(settings_.checks);
  if (!enforced.engine && !shadow.engine) return filter::Next{};
  const filter::rbac::RequestSubject request(headers, context, needsOf(enforced) | needsOf(shadow));
  if (shadow.engine) ask(shadow, settings_.shadow, request.subject(), context);
  if (!enforced.engine) return filter::Next{};
  const Decision decision = ask(enforced, settings_.enforced, request.subject(), context);
  enforced.engine->audit(request.subject(), decision, context.worker().log_sink);
  if (decision.log_hint) context.info().metadata().set("envoy.common", "access_log_hint", {*decision.log_hint});
  if (decision.allowed) return filter::Next{};
  return filter::Reply{403, "RBAC: access denied", context.arena().copy(enforced.engine->details(decision))};
}

}  // namespace sluice::extensions::http_filters::rbac
