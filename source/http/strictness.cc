#include "source/http/strictness.h"

#include <algorithm>
#include <iterator>
#include <new>

#include "source/base/text.h"
#include "source/http/headers.h"
#include "source/http/rules.h"

namespace sluice::http {

namespace {

constexpr std::string_view kTexts[] = {"connect_port", "host_conflict", "underscore_names", "unknown_expectation",
                                       "value_edge_space"};
static_assert(std::size(kTexts) == kStrictRules, "one text for each rule, in the order of the enum");

}  // namespace

std::string_view textOf(StrictRule rule) {
  return kTexts[static_cast<size_t>(rule)];
}

std::string textOf(StrictRules rules) {
  std::string out;
  for (size_t i = 0; i < kStrictRules; ++i) {
    if (rules.has(static_cast<StrictRule>(i))) out.append(out.empty() ? "" : ", ").append(kTexts[i]);
  }
  return out;
}

bool parseStrictRules(std::string_view list, StrictRules& out, std::string& error) {
  StrictRules rules;
  std::string unknown;
  forEachElement(list, [&](std::string_view word) {
    const auto found = std::find(std::begin(kTexts), std::end(kTexts), word);
    if (found != std::end(kTexts)) {
      rules.add(static_cast<StrictRule>(found - std::begin(kTexts)));
    } else if (word == "all") {
      for (size_t i = 0; i < kStrictRules; ++i) rules.add(static_cast<StrictRule>(i));
    } else if (unknown.empty()) {
      unknown = word;
    }
  });
  if (!unknown.empty() || rules.empty()) {
    error = base::strCat("'", unknown, "' is no rule that may be reported only; those are ");
    for (std::string_view text : kTexts) error.append(text).append(", ");
    error.append("and all of them are 'all'");
    return false;
  }
  out.add(rules);
  return true;
}

void noteLetThrough(RequestHeaders& headers, StrictRule rule, std::string_view example) {
  if (headers.let_through == nullptr) {
    headers.let_through = new (headers.arena().allocateArray<LetThrough>(1)) LetThrough{};
  }
  std::string_view& place = headers.let_through->examples[static_cast<size_t>(rule)];
  if (place.data() == nullptr) place = example.data() == nullptr ? std::string_view("") : example;
}

}  // namespace sluice::http
