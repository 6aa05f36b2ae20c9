// Rules of several levels that add up, compiled. (proto: sluice.extensions.filters.http.policy.v1.PolicySet)
//
// Immutable, used by all workers. Asking allocates nothing, but for what conditions make that are more than small ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/rbac/rules.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::policy {

// Of "default", the rule that default_action: DENY stands for.
inline constexpr std::string_view kDefaultRule = "default";

// Where a set stands.
struct Origin {
  std::string level;     // "filter", "table", "virtual_host", "route" or "cluster"
  std::string resource;  // the name of that; empty: it has none
};

struct Rule {
  enum class Effect : uint8_t { kRequire, kDeny, kDefault };
  struct Counts {
    observability::Counter denied, reported;
  };

  bool applies(const filter::rbac::Subject& subject) const;
  // Of a request that it applies to. Not of kDefault.
  bool admits(const filter::rbac::Subject& subject) const;

  std::string name;
  std::string place;                         // "NAME@LEVEL"
  std::string path;                          // of the field, in the configuration
  std::optional<filter::rbac::Policy> when;  // nullopt: always
  Effect effect = Effect::kRequire;
  filter::rbac::Policy what;  // that is required, or denied
  bool may_relax = false;
  bool report_only = false;
  uint16_t status = 403;
  std::string message;
  std::string note;              // for logs; empty: none
  std::optional<Counts> counts;  // nullopt: not by rule
};

struct PolicySet {
  Origin origin;
  std::vector<Rule> rules;           // in order
  std::optional<Rule> by_default;    // asked behind them; nullopt: default_action is ALLOW
  std::vector<std::string> relaxes;  // rules of levels above
  uint8_t needs = 0;                 // bits of match::Part: what all of them look at

  bool relaxesRule(std::string_view name) const;
};

using RouteSettings = route::RouteSettings<PolicySet>;

// The sets in effect for a route, from the least specific to the most.
class PolicyLevels {
 public:
  // `of_route`: those of the route; null entries of other filters are told by foreign().
  PolicyLevels(const PolicySet& of_filter, const route::PerFilterLevels& of_route);

  // A level has settings of another filter under this one's name.
  bool foreign() const { return foreign_; }
  size_t size() const { return size_; }
  const PolicySet& operator[](size_t level) const { return *sets_[level]; }
  uint8_t needs() const;

  // The level that does without a rule of `level`, which allows it; nullopt: the rule holds.
  std::optional<size_t> relaxedBy(const Rule& rule, size_t level) const;

  // The first rule that does not admit the request; null: all do. `report`: called for those that only report.
  template <typename Report>
  const Rule* firstDenial(const filter::rbac::Subject& subject, Report report) const;

  // A line for each rule.
  std::string explain() const;

 private:
  std::array<const PolicySet*, 5> sets_{};
  size_t size_ = 0;
  bool foreign_ = false;
};

template <typename Report>
const Rule* PolicyLevels::firstDenial(const filter::rbac::Subject& subject, Report report) const {
  for (size_t level = 0; level < size_; ++level) {
    bool fulfilled = false;  // a `require` of this level
    for (const Rule& rule : sets_[level]->rules) {
      if (!rule.applies(subject)) continue;
      const bool counts = rule.effect == Rule::Effect::kRequire && !rule.report_only;
      // What does not have to hold here is as good as fulfilled.
      if (relaxedBy(rule, level)) {
        fulfilled |= counts;
      } else if (rule.admits(subject)) {
        fulfilled |= counts;
      } else if (rule.report_only) {
        report(rule);
      } else {
        return &rule;
      }
    }
    const std::optional<Rule>& by_default = sets_[level]->by_default;
    if (by_default && !fulfilled && !relaxedBy(*by_default, level)) return &*by_default;
  }
  return nullptr;
}

}  // namespace sluice::extensions::http_filters::policy
