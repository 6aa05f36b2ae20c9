#include "source/route/path_index.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "source/base/ascii.h"
#include "source/route/regex_literal.h"

namespace sluice::route {
namespace {

// Fewer routes than this are asked one by one.
constexpr size_t kFew = 5;

// The lower-cased path of one lookup: on the stack if it is short, else in the request's arena.
class LowerCased {
 public:
  explicit LowerCased(const RequestView& request) {
    const std::string_view path = request.path;
    char* const out = path.size() <= buffer_.size() ? buffer_.data() : request.headers.arena().allocate(path.size());
    std::transform(path.begin(), path.end(), out, base::lower);
    text_ = {out, path.size()};
  }
  LowerCased(const LowerCased&) = delete;
  LowerCased& operator=(const LowerCased&) = delete;
  std::string_view text() const { return text_; }

 private:
  std::array<char, 256> buffer_;
  std::string_view text_;
};

}  // namespace

// --- building ------------------------------------------------------------------------------------------------------

class PathIndex::Builder {
 public:
  Builder(PathIndex& index, base::Arena& texts) : index_(index), texts_(texts) {}

  void build() {
    for (uint32_t i = 0; i < index_.routes_.size(); ++i) list(i);
    index_.exact_ = table(exact_, TextTable::Kind::kExact);
    index_.prefixes_ = table(prefixes_, TextTable::Kind::kPrefixes);
    index_.exact_lower_ = table(exact_lower_, TextTable::Kind::kExact);
    index_.prefixes_lower_ = table(prefixes_lower_, TextTable::Kind::kPrefixes);
    index_.groups_.shrink_to_fit();
  }

 private:
  struct Listing {
    std::string_view text;
    uint32_t route;
    bool operator<(const Listing& other) const { return text != other.text ? text < other.text : route < other.route; }
  };
  using Indices = std::vector<uint32_t>;
  using Names = std::set<std::string_view>;

  const RouteMatcher& matcher(uint32_t route) const { return index_.routes_[route].matcher; }

  void list(uint32_t route) {
    const RouteMatcher& m = matcher(route);
    std::vector<Listing>& exact = m.case_sensitive ? exact_ : exact_lower_;
    std::vector<Listing>& prefixes = m.case_sensitive ? prefixes_ : prefixes_lower_;
    switch (m.kind) {
      case PathKind::kPrefix:
        prefixes.push_back({m.path, route});
        break;
      case PathKind::kExact:
        exact.push_back({m.path, route});
        break;
      case PathKind::kSeparatedPrefix:
        exact.push_back({m.path, route});
        prefixes.push_back({texts_.concat(m.path, "/"), route});
        break;
      case PathKind::kRegex:
        prefixes_.push_back({texts_.copy(literalBeginning(m.path)), route});
        break;
      case PathKind::kConnect:
        break;  // has no path to be found by
    }
  }

  TextTable table(std::vector<Listing>& listings, TextTable::Kind kind) {
    std::sort(listings.begin(), listings.end());
    std::vector<TextTable::Entry> entries;
    std::vector<uint32_t> parents;  // the chain of prefixes of the text at hand
    for (size_t i = 0; i < listings.size();) {
      const std::string_view text = listings[i].text;
      Indices routes;
      for (; i < listings.size() && listings[i].text == text; ++i) routes.push_back(listings[i].route);
      if (kind == TextTable::Kind::kPrefixes) {
        while (!parents.empty() && !text.starts_with(entries[parents.back()].view())) parents.pop_back();
      }
      const uint32_t self = static_cast<uint32_t>(entries.size());
      const uint32_t parent = parents.empty() ? kNone : parents.back();
      entries.push_back(entry(text, routes, parent == kNone ? nullptr : &entries[parent], self));
      entries.back().parent = parent;
      if (kind == TextTable::Kind::kPrefixes) parents.push_back(self);
    }
    return TextTable(std::move(entries), kind);
  }

  TextTable::Entry entry(std::string_view text, const Indices& routes, const TextTable::Entry* parent, uint32_t self) {
    TextTable::Entry out{.text = text.data(), .size = static_cast<uint32_t>(text.size())};
    if (parent != nullptr) {
      out.best = parent->best;
      out.conditional = parent->conditional;
    }
    Indices conditional;
    for (const uint32_t route : routes) {
      if (route > out.best) break;  // never the first match: where this text matches, `best` does
      if (matcher(route).unconditional()) {
        out.best = route;
        break;
      }
      conditional.push_back(route);
    }
    if (!conditional.empty()) {
      out.target = target(conditional, {});
      out.conditional = self;
    }
    return out;
  }

  // `used`: headers whose exact values have split this group already.
  Target target(const Indices& routes, const Names& used) {
    if (routes.size() == 1) return routes.front();
    Group group{.lowest = routes.front()};
    if (routes.size() < kFew) {
      group.linear = routes;
    } else {
      split(routes, used, group);
    }
    index_.groups_.push_back(std::move(group));
    return static_cast<Target>(index_.groups_.size() - 1) | kGroupBit;
  }

  void split(const Indices& routes, const Names& used, Group& group) {
    const std::map<std::string_view, Names> values = exactValues(routes, used);
    std::map<std::string_view, std::map<std::string_view, Indices>> by_header;
    Indices regexes;
    for (const uint32_t route : routes) {
      if (const HeaderMatcher* header = selective(route, values)) {
        by_header[header->name][header->string.text].push_back(route);
      } else if (matcher(route).regex != nullptr) {
        regexes.push_back(route);
      } else {
        group.linear.push_back(route);
      }
    }
    for (const auto& [name, parts] : by_header) {
      Names now_used = used;
      now_used.insert(name);
      ByHeader& header = group.by_header.emplace_back();
      header.name = name;
      header.id = http::nameOf(name);
      for (const auto& [value, part] : parts) header.values.emplace(value, target(part, now_used));
    }
    addRegexes(regexes, group);
  }

  std::map<std::string_view, Names> exactValues(const Indices& routes, const Names& used) const {
    std::map<std::string_view, Names> values;
    for (const uint32_t route : routes) {
      if (matcher(route).conditions == nullptr) continue;
      for (const HeaderMatcher& header : matcher(route).conditions->headers) {
        if (header.isExact() && !used.contains(header.name)) values[header.name].insert(header.string.text);
      }
    }
    return values;
  }

  // The exact header of a route that tells most of the routes apart; null if none tells any apart.
  const HeaderMatcher* selective(uint32_t route, const std::map<std::string_view, Names>& values) const {
    const HeaderMatcher* chosen = nullptr;
    size_t most = 1;
    if (matcher(route).conditions == nullptr) return nullptr;
    for (const HeaderMatcher& header : matcher(route).conditions->headers) {
      if (!header.isExact()) continue;
      const auto found = values.find(header.name);
      if (found == values.end() || found->second.size() <= most) continue;
      most = found->second.size();
      chosen = &header;
    }
    return chosen;
  }

  void addRegexes(const Indices& routes, Group& group) {
    if (routes.size() < kFew) {
      group.linear.insert(group.linear.end(), routes.begin(), routes.end());
      std::sort(group.linear.begin(), group.linear.end());
      return;
    }
    std::vector<RegexSet::Member> members;
    std::map<std::string_view, size_t> by_pattern;
    for (const uint32_t route : routes) {
      const re2::RE2* const regex = matcher(route).regex;
      const auto [found, added] = by_pattern.try_emplace(regex->pattern(), members.size());
      if (added) members.push_back({regex, {}});
      members[found->second].routes.push_back(route);
    }
    group.regexes = std::make_unique<RegexSet>(std::move(members));
  }

  PathIndex& index_;
  base::Arena& texts_;
  std::vector<Listing> exact_, prefixes_, exact_lower_, prefixes_lower_;
};

PathIndex::PathIndex(std::span<const Route> routes, base::Arena& texts) : routes_(routes) {
  Builder(*this, texts).build();
}

// --- looking up ----------------------------------------------------------------------------------------------------

uint32_t PathIndex::find(const RequestView& request) const {
  NoSteps steps;
  return findRoute(request, steps);
}

uint32_t PathIndex::find(const RequestView& request, CountedSteps& steps) const {
  return findRoute(request, steps);
}

template <class Steps>
uint32_t PathIndex::findRoute(const RequestView& request, Steps& steps) const {
  struct Hit {
    const TextTable* table;
    uint32_t entry;
  };
  std::array<Hit, 4> hits;
  size_t hit_count = 0;
  uint32_t best = kNone;
  const auto take = [&](const TextTable& table, uint32_t entry) {
    if (entry == kNone) return;
    hits[hit_count++] = {&table, entry};
    best = std::min(best, table[entry].best);
  };

  if (!exact_.empty()) take(exact_, exact_.exact(request.path, steps));
  if (!prefixes_.empty()) take(prefixes_, prefixes_.longest(request.path, steps));
  if (!exact_lower_.empty() || !prefixes_lower_.empty()) {
    const LowerCased path(request);
    steps.add(1 + request.path.size() / 8);
    take(exact_lower_, exact_lower_.exact(path.text(), steps));
    take(prefixes_lower_, prefixes_lower_.longest(path.text(), steps));
  }
  for (size_t i = 0; i < hit_count; ++i) best = tryChain(*hits[i].table, hits[i].entry, request, best, steps);
  return best;
}

template <class Steps>
uint32_t PathIndex::tryChain(const TextTable& table, uint32_t hit, const RequestView& request, uint32_t best,
                             Steps& steps) const {
  for (uint32_t at = table[hit].conditional; at != kNone;) {
    const TextTable::Entry& entry = table[at];
    best = tryTarget(entry.target, request, best, steps);
    at = entry.parent == kNone ? kNone : table[entry.parent].conditional;
  }
  return best;
}

template <class Steps>
uint32_t PathIndex::tryTarget(Target target, const RequestView& request, uint32_t best, Steps& steps) const {
  if ((target & kGroupBit) == 0) return tryRoute(target, request, best, steps);
  const Group& group = groups_[target & ~kGroupBit];
  steps.add(1);
  if (group.lowest >= best) return best;
  for (const uint32_t route : group.linear) {
    if (route >= best) break;
    best = tryRoute(route, request, best, steps);
  }
  for (const ByHeader& header : group.by_header) best = tryHeader(header, request, best, steps);
  if (group.regexes != nullptr) best = tryRegexes(*group.regexes, request, best, steps);
  return best;
}

template <class Steps>
uint32_t PathIndex::tryHeader(const ByHeader& header, const RequestView& request, uint32_t best, Steps& steps) const {
  steps.add(1);
  size_t line = 0;
  anyHeaderValue(request.headers, header.name, header.id, [&](std::string_view value) {
    ++line;
    steps.add(1);
    const auto found = header.values.find(value);
    if (found == header.values.end()) return false;
    // A value that is sent again asks nothing new: work is bounded by the routes, not by the lines.
    size_t first = 0;
    anyHeaderValue(request.headers, header.name, header.id, [&](std::string_view earlier) {
      ++first;
      return earlier == value;
    });
    if (first == line) best = tryTarget(found->second, request, best, steps);
    return false;
  });
  return best;
}

template <class Steps>
uint32_t PathIndex::tryRoute(uint32_t route, const RequestView& request, uint32_t best, Steps& steps) const {
  if (route >= best) return best;
  const RouteMatcher& matcher = routes_[route].matcher;
  steps.add(1);
  if (matcher.regex != nullptr && !matcher.pathMatches(request.path)) return best;
  return matcher.conditions == nullptr || matcher.conditions->hold(request) ? route : best;
}

template <class Steps>
uint32_t PathIndex::tryRegexes(const RegexSet& set, const RequestView& request, uint32_t best, Steps& steps) const {
  if (set.lowest() >= best) return best;
  steps.add(1 + request.path.size() / 8);
  set.forEachMatch(request.path, [&](const RegexSet::Member& member) {
    for (const uint32_t route : member.routes) {
      steps.add(1);
      if (route >= best) break;
      const Conditions* const conditions = routes_[route].matcher.conditions;
      if (conditions == nullptr || conditions->hold(request)) best = route;
    }
  });
  return best;
}

}  // namespace sluice::route
