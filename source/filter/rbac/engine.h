// What decides, in either of its two forms: policies, or a tree of matchers that leads to their names.
// (proto: `rules` and `matcher` of the filters called RBAC)
//
// Immutable, used by all workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/rbac/rules.h"
#include "source/match/tree.h"
#include "source/observability/log_file.h"

namespace sluice::filter::rbac {

struct Decision {
  static constexpr size_t kNone = SIZE_MAX;

  bool allowed = true;
  size_t policy = kNone;              // that matched: its place in Engine::names()
  std::optional<bool> log_hint = {};  // whether access logs are to tell of it; nullopt: nothing has the action LOG
};

// What a tree leads to. (proto: envoy.config.rbac.v3.Action)
struct Outcome {
  std::string name;
  Action action = Action::kAllow;
};

class Engine {
 public:
  explicit Engine(Rules rules);
  // The actions of `matcher` are places in `outcomes`. What it does not match, or cannot say yet, is denied.
  Engine(std::shared_ptr<const match::Matcher> matcher, std::vector<Outcome> outcomes);

  Decision decide(const Subject& subject) const;
  // Bits of match::Part.
  uint8_t needs() const { return matcher_ ? matcher_->needs : rules_.needs; }

  const std::vector<std::string>& names() const { return names_; }
  // Tells who is to be told of decisions: whoever asks for one that counts calls it.
  void audit(const Subject& subject, const Decision& decision, observability::LogSink& sink) const {
    if (rules_.audit) tell(subject, decision, sink);
  }
  // Of the policy that decided; empty: none did. Valid as long as the engine, as is details().
  std::string_view nameOf(const Decision& decision) const {
    return decision.policy == Decision::kNone ? std::string_view() : std::string_view(names_[decision.policy]);
  }
  // Why it was denied: "rbac_access_denied_matched_policy[NAME]".
  std::string_view details(const Decision& decision) const {
    return details_[decision.policy == Decision::kNone ? names_.size() : decision.policy];
  }

 private:
  Decision byRules(const Subject& subject) const;
  Decision byTree(const Subject& subject) const;
  void addName(const std::string& name);
  void tell(const Subject& subject, const Decision& decision, observability::LogSink& sink) const;

  Rules rules_;                                    // unless there is a matcher
  std::shared_ptr<const match::Matcher> matcher_;  // null: rules_
  std::vector<Action> actions_;                    // of the matcher, as names_
  bool logs_ = false;                              // one of actions_ is kLog
  std::vector<std::string> names_;
  std::vector<std::string> details_;  // as names_, and the last where no policy matched
};

}  // namespace sluice::filter::rbac
