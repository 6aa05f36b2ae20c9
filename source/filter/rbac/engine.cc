#include "source/filter/rbac/engine.h"

#include <algorithm>
#include <utility>

#include "source/filter/rbac/audit.h"

namespace sluice::filter::rbac {
namespace {

// As access logs show it: no spaces.
std::string detailsOf(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c == 127; }, '_');
  return "rbac_access_denied_matched_policy[" + name + "]";
}

}  // namespace

Engine::Engine(Rules rules) : rules_(std::move(rules)) {
  for (const Policy& policy : rules_.policies) addName(policy.name);
  details_.push_back(detailsOf("none"));
}

Engine::Engine(std::shared_ptr<const match::Matcher> matcher, std::vector<Outcome> outcomes)
    : matcher_(std::move(matcher)) {
  for (const Outcome& outcome : outcomes) {
    addName(outcome.name);
    actions_.push_back(outcome.action);
    logs_ |= outcome.action == Action::kLog;
  }
  details_.push_back(detailsOf("none"));
}

void Engine::addName(const std::string& name) {
  names_.push_back(name);
  details_.push_back(detailsOf(name));
}

Decision Engine::decide(const Subject& subject) const {
  return matcher_ ? byTree(subject) : byRules(subject);
}

void Engine::tell(const Subject& subject, const Decision& decision, observability::LogSink& sink) const {
  if (rules_.audit->wants(decision.allowed)) rules_.audit->tell(subject, nameOf(decision), decision.allowed, sink);
}

Decision Engine::byRules(const Subject& subject) const {
  const size_t found = rules_.find(subject);
  const bool matched = found < rules_.policies.size();
  const size_t policy = matched ? found : Decision::kNone;
  if (rules_.action == Action::kLog) return {true, policy, matched};
  return {matched == (rules_.action == Action::kAllow), policy};
}

Decision Engine::byTree(const Subject& subject) const {
  const match::Result result = matcher_->evaluate(subject.data);
  const bool matched = result.state == match::Result::State::kMatched;
  const Action action = matched ? actions_[result.action] : Action::kDeny;
  Decision out{action != Action::kDeny, matched ? result.action : Decision::kNone};
  if (logs_) out.log_hint = action == Action::kLog;
  return out;
}

}  // namespace sluice::filter::rbac
