#include "source/route/regex_set.h"

#include <algorithm>

namespace sluice::route {
namespace {

// Memory that the set's automaton may take, made on use only: RE2's default for one expression, and a share for each.
constexpr int64_t kBaseMemory = 8 << 20;
constexpr int64_t kMemoryPerRegex = 4096;

re2::RE2::Options optionsFor(const std::vector<RegexSet::Member>& members) {
  re2::RE2::Options options = members.front().regex->options();
  options.set_max_mem(kBaseMemory + kMemoryPerRegex * static_cast<int64_t>(members.size()));
  return options;
}

}  // namespace

RegexSet::RegexSet(std::vector<Member> members)
    : members_(std::move(members)),
      set_(optionsFor(members_), re2::RE2::ANCHOR_BOTH),
      lowest_(members_.front().routes.front()) {
  for (const Member& member : members_) {
    lowest_ = std::min(lowest_, member.routes.front());
    if (set_.Add(member.regex->pattern(), nullptr) < 0) return;
  }
  compiled_ = set_.Compile();
}

}  // namespace sluice::route
