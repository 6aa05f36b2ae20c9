#include "source/extensions/filters/http/policy/policy_set.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sluice::extensions::http_filters::policy {

using filter::rbac::Verdict;

// What cannot be told counts against the request.
bool Rule::applies(const filter::rbac::Subject& subject) const {
  return !when || when->judge(subject) != Verdict::kNo;
}

bool Rule::admits(const filter::rbac::Subject& subject) const {
  const Verdict verdict = what.judge(subject);
  return effect == Effect::kRequire ? verdict == Verdict::kYes : verdict == Verdict::kNo;
}

bool PolicySet::relaxesRule(std::string_view name) const {
  return std::find(relaxes.begin(), relaxes.end(), name) != relaxes.end();
}

PolicyLevels::PolicyLevels(const PolicySet& of_filter, const route::PerFilterLevels& of_route) {
  sets_[size_++] = &of_filter;
  for (const route::PerFilterConfig* const config : of_route) {
    const auto* const settings = route::settingsAs<RouteSettings>(config);
    if (settings == nullptr) {
      foreign_ = true;
    } else {
      sets_[size_++] = &settings->value;
    }
  }
}

uint8_t PolicyLevels::needs() const {
  uint8_t out = 0;
  for (size_t level = 0; level < size_; ++level) out |= sets_[level]->needs;
  return out;
}

std::optional<size_t> PolicyLevels::relaxedBy(const Rule& rule, size_t level) const {
  if (!rule.may_relax) return std::nullopt;
  for (size_t below = level + 1; below < size_; ++below) {
    if (sets_[below]->relaxesRule(rule.name)) return below;
  }
  return std::nullopt;
}

std::string PolicyLevels::explain() const {
  std::string out;
  const auto add = [&](const Rule& rule, size_t level) {
    const Origin& origin = sets_[level]->origin;
    const char* const effect = rule.effect == Rule::Effect::kRequire ? "require" : "deny";
    absl::StrAppend(&out, effect, " ", rule.place);
    if (!origin.resource.empty()) absl::StrAppend(&out, " '", origin.resource, "'");
    absl::StrAppend(&out, " (", rule.path, ")");
    if (rule.report_only) absl::StrAppend(&out, ", report only");
    if (const std::optional<size_t> by = relaxedBy(rule, level)) {
      absl::StrAppend(&out, ", relaxed by ", sets_[*by]->origin.level);
      if (!sets_[*by]->origin.resource.empty()) absl::StrAppend(&out, " '", sets_[*by]->origin.resource, "'");
    }
    out += '\n';
  };
  for (size_t level = 0; level < size_; ++level) {
    for (const Rule& rule : sets_[level]->rules) add(rule, level);
    if (sets_[level]->by_default) add(*sets_[level]->by_default, level);
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::policy
