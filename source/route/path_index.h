// The first route, in order, that matches a request: found without asking each route.
//
// What has to hold: the answer is that of a linear search. How it is kept:
// - Every route sits under one or two texts of which the path must begin with (or equal) one: a prefix, an exact path,
//   both for a path-separated prefix, the literal beginning of a regular expression ("" if it has none). The texts are
//   in hash tables, one for exact paths and one for prefixes, and the same again over the lower-cased path for routes
//   that ignore case. So all candidates are found by one look-up for each distinct length of a prefix.
// - The prefixes that match form a chain, each a prefix of the next. Each knows the lowest unconditional route of its
//   chain: that route bounds the search, and routes after it can never win.
// - Routes with conditions (headers, query, regular expression) below that bound are tried in ascending order, and only
//   while they could still win. Groups of them are split by the exact value of a header, and many regular expressions
//   are matched at once.
//
// Immutable; used by all workers. Lookups allocate nothing, but for sets of regular expressions (RE2's own needs).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/arena.h"
#include "source/route/regex_set.h"
#include "source/route/route.h"
#include "source/route/text_table.h"

namespace sluice::route {

// Work of lookups, for tests of their cost.
struct CountedSteps {
  uint64_t count = 0;
  void add(uint64_t steps) { count += steps; }
};

class PathIndex {
 public:
  // `routes` outlives the index. Text that the index has to keep goes to `texts`, which outlives it too.
  PathIndex(std::span<const Route> routes, base::Arena& texts);

  // The index of the first route that matches, or kNone.
  uint32_t find(const RequestView& request) const;
  uint32_t find(const RequestView& request, CountedSteps& steps) const;

 private:
  class Builder;

  // Conditional candidates of one place: the index of one route, or that of a group with kGroupBit.
  using Target = uint32_t;
  static constexpr Target kGroupBit = 0x80000000u;

  // Routes that need one exact value of a header.
  struct ByHeader {
    std::string_view name;
    http::Name id = http::Name::kOther;
    absl::flat_hash_map<std::string_view, Target> values;
  };

  struct Group {
    uint32_t lowest = kNone;       // of all below
    std::vector<uint32_t> linear;  // ascending; asked one by one
    std::vector<ByHeader> by_header;
    std::unique_ptr<RegexSet> regexes;  // null: none
  };

  template <class Steps>
  uint32_t findRoute(const RequestView& request, Steps& steps) const;
  // Each returns the lower of `best` and the lowest match.
  template <class Steps>
  uint32_t tryChain(const TextTable& table, uint32_t hit, const RequestView& request, uint32_t best,
                    Steps& steps) const;
  template <class Steps>
  uint32_t tryTarget(Target target, const RequestView& request, uint32_t best, Steps& steps) const;
  template <class Steps>
  uint32_t tryHeader(const ByHeader& header, const RequestView& request, uint32_t best, Steps& steps) const;
  template <class Steps>
  uint32_t tryRoute(uint32_t route, const RequestView& request, uint32_t best, Steps& steps) const;
  template <class Steps>
  uint32_t tryRegexes(const RegexSet& set, const RequestView& request, uint32_t best, Steps& steps) const;

  std::span<const Route> routes_;
  TextTable exact_, prefixes_;
  TextTable exact_lower_, prefixes_lower_;  // for routes that ignore case
  std::vector<Group> groups_;
};

}  // namespace sluice::route
