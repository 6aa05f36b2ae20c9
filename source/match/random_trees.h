// Trees of matchers for tests, made from numbers, and what they ought to answer, worked out without any table.
#pragma once

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/match/tree.h"

namespace sluice::match {

// What the tests' inputs read, beside Data: the server name, as whole, growing, missing or not there yet.
struct TestInput : Input {
  explicit TestInput(Value value) : value(value) {}
  uint8_t needs() const override { return 0; }
  Value get(const Data&, Scratch&) const override { return value; }
  Value value;
};

inline std::shared_ptr<const Input> input(Value value) {
  return std::make_shared<TestInput>(value);
}

inline Predicate equals(Value value, std::string text) {
  Predicate out;
  out.input = input(value);
  out.text.text = std::move(text);
  return out;
}

inline OnMatch leadsTo(Action action) {
  OnMatch out;
  out.action = action;
  return out;
}

inline OnMatch leadsTo(std::shared_ptr<const Matcher> matcher) {
  OnMatch out;
  out.matcher = std::move(matcher);
  return out;
}

// A matcher as it is written, with its entries in a list: what evaluating has to agree with.
struct PlainMatcher;

struct PlainOnMatch {
  std::shared_ptr<PlainMatcher> matcher;
  Action action = 0;
  bool keep_matching = false;
};

struct PlainMatcher {
  enum class Kind { kNone, kList, kExact, kPrefix, kRange, kDomain, kInteger, kReal };

  Kind kind = Kind::kNone;
  Value value;                                           // of maps
  std::vector<std::pair<Predicate, PlainOnMatch>> list;  // kList
  // Of maps, by key: "10.0.0.0/8" of ranges of addresses, "*.example" of domains, "-5..7" of numbers.
  std::vector<std::pair<std::string, PlainOnMatch>> entries;
  std::vector<bool> exclusive;  // beside entries of ranges
  std::optional<PlainOnMatch> on_no_match;
};

inline net::Cidr rangeOf(const std::string& text) {
  const size_t slash = text.find('/');
  return *net::Cidr::make(text.substr(0, slash), static_cast<unsigned>(std::stoul(text.substr(slash + 1))));
}

inline std::pair<double, double> boundsOf(const std::string& text) {
  return {std::stod(text), std::stod(text.substr(text.find("..") + 2))};
}

template <typename T>
NumberMap<T> numbersOf(Value value, const std::vector<std::pair<std::string, OnMatch>>& entries) {
  NumberMap<T> out{input(value), {}};
  for (const auto& [key, on_match] : entries) {
    const auto [start, end] = boundsOf(key);
    out.entries.push_back({static_cast<T>(start), static_cast<T>(end), on_match});
  }
  return out;
}

inline DomainMap domainsOf(Value value, const std::vector<std::pair<std::string, OnMatch>>& entries) {
  DomainMap out{input(value), {}, {}};
  for (const auto& [key, on_match] : entries) {
    if (key == "*") {
      out.wildcards.emplace("", on_match);
    } else if (key.starts_with("*.")) {
      out.wildcards.emplace(key.substr(2), on_match);
    } else {
      out.names.emplace(key, on_match);
    }
  }
  return out;
}

inline std::shared_ptr<const Matcher> compiled(const PlainMatcher& plain);

inline OnMatch compiled(const PlainOnMatch& plain) {
  OnMatch out;
  if (plain.matcher) out.matcher = compiled(*plain.matcher);
  out.action = plain.action;
  out.keep_matching = plain.keep_matching;
  return out;
}

inline std::shared_ptr<const Matcher> compiled(const PlainMatcher& plain) {
  auto out = std::make_shared<Matcher>();
  std::vector<std::pair<std::string, OnMatch>> entries;
  for (const auto& [key, on_match] : plain.entries) entries.emplace_back(key, compiled(on_match));
  if (plain.kind == PlainMatcher::Kind::kList) {
    MatchList list;
    for (const auto& [predicate, on_match] : plain.list) list.entries.push_back({predicate, compiled(on_match)});
    out->how = std::move(list);
  } else if (plain.kind == PlainMatcher::Kind::kExact) {
    out->how = ExactMap{input(plain.value), {entries.begin(), entries.end()}};
  } else if (plain.kind == PlainMatcher::Kind::kPrefix) {
    out->how = PrefixMap(input(plain.value), std::move(entries));
  } else if (plain.kind == PlainMatcher::Kind::kRange) {
    RangeMap map;
    map.input = input(plain.value);
    for (size_t i = 0; i < entries.size(); ++i) {
      map.ranges.at(rangeOf(entries[i].first)).push_back({entries[i].second, plain.exclusive[i]});
    }
    out->how = std::move(map);
  } else if (plain.kind == PlainMatcher::Kind::kDomain) {
    out->how = domainsOf(plain.value, entries);
  } else if (plain.kind == PlainMatcher::Kind::kInteger) {
    out->how = numbersOf<int64_t>(plain.value, entries);
  } else if (plain.kind == PlainMatcher::Kind::kReal) {
    out->how = numbersOf<double>(plain.value, entries);
  }
  if (plain.on_no_match) out->on_no_match = compiled(*plain.on_no_match);
  return out;
}

// --- the naive answer: every entry is looked at ----------------------------------------------------------------------

using State = Result::State;

inline State naive(const Predicate& predicate) {
  std::vector<State> parts;
  for (const Predicate& part : predicate.parts) parts.push_back(naive(part));
  const auto has = [&parts](State state) { return std::count(parts.begin(), parts.end(), state) > 0; };
  switch (predicate.kind) {
    case Predicate::Kind::kSingle: {
      Scratch scratch;
      const Value value = predicate.input->get({}, scratch);
      if (value.state == Value::State::kNotYet) return State::kNotYet;
      if (value.text && *value.text == predicate.text.text) return State::kMatched;
      return value.state == Value::State::kWhole ? State::kNoMatch : State::kNotYet;
    }
    case Predicate::Kind::kSome:
      return has(State::kMatched) ? State::kMatched : has(State::kNotYet) ? State::kNotYet : State::kNoMatch;
    case Predicate::Kind::kAll: {
      const auto other = std::find_if(parts.begin(), parts.end(), [](State part) { return part != State::kMatched; });
      return other == parts.end() ? State::kMatched : *other;
    }
    case Predicate::Kind::kNot:
      break;
  }
  return parts[0] == State::kMatched ? State::kNoMatch : parts[0] == State::kNoMatch ? State::kMatched : State::kNotYet;
}

inline Result naive(const PlainMatcher& plain);

inline Result naive(const PlainOnMatch& on_match) {
  const Result result = on_match.matcher ? naive(*on_match.matcher) : Result{State::kMatched, on_match.action};
  return result.state == State::kMatched && on_match.keep_matching ? Result{} : result;
}

inline bool domainHolds(const std::string& domain, std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (domain == "*") return true;
  if (domain[0] != '*') return text == domain;
  return text.size() >= domain.size() - 1 && text.ends_with(domain.substr(1));
}

// Numbers of tests are short: what is none is shorter than its text.
inline bool numberHolds(const std::string& range, const std::string& text, bool whole) {
  size_t read = 0;
  if (text.empty() || (text[0] != '-' && (text[0] < '0' || text[0] > '9'))) return false;
  const double number = std::stod(text, &read);
  if (read != text.size() || (whole && text.find('.') != std::string::npos)) return false;
  const auto [start, end] = boundsOf(range);
  return number >= start && number < end;
}

inline bool applies(const PlainMatcher& plain, const std::string& key, const std::string& text) {
  switch (plain.kind) {
    case PlainMatcher::Kind::kExact:
      return text == key;
    case PlainMatcher::Kind::kPrefix:
      return text.starts_with(key);
    case PlainMatcher::Kind::kDomain:
      return domainHolds(key, text);
    case PlainMatcher::Kind::kInteger:
    case PlainMatcher::Kind::kReal:
      return numberHolds(key, text, plain.kind == PlainMatcher::Kind::kInteger);
    default:
      break;
  }
  const std::optional<net::Address> address = net::Address::fromIp(text, 0);
  return address && rangeOf(key).contains(*address);
}

// Which of two entries that apply is asked first; equal ones in order.
inline size_t rankOf(const PlainMatcher& plain, const std::string& key) {
  switch (plain.kind) {
    case PlainMatcher::Kind::kRange:
      return rangeOf(key).length();
    case PlainMatcher::Kind::kInteger:
    case PlainMatcher::Kind::kReal:
      return 0;
    case PlainMatcher::Kind::kDomain:
      return key[0] == '*' ? key.size() : 1000;
    default:
      return key.size();
  }
}

// The entries of a map that apply to its value, in the order in which they are asked.
inline std::vector<size_t> candidates(const PlainMatcher& plain) {
  std::vector<size_t> out;
  if (!plain.value.text) return out;
  const std::string text(*plain.value.text);
  const auto length = [&](size_t i) { return rankOf(plain, plain.entries[i].first); };
  for (size_t i = 0; i < plain.entries.size(); ++i) {
    if (applies(plain, plain.entries[i].first, text)) out.push_back(i);
  }
  std::stable_sort(out.begin(), out.end(), [&](size_t a, size_t b) { return length(a) > length(b); });
  return out;
}

inline Result naiveInner(const PlainMatcher& plain) {
  if (plain.kind == PlainMatcher::Kind::kNone) return {};
  if (plain.kind == PlainMatcher::Kind::kList) {
    for (const auto& [predicate, on_match] : plain.list) {
      const State state = naive(predicate);
      if (state == State::kNotYet) return {State::kNotYet, 0};
      if (state == State::kNoMatch) continue;
      if (const Result result = naive(on_match); result.state != State::kNoMatch) return result;
    }
    return {};
  }
  const bool whole = plain.value.state == Value::State::kWhole;
  const bool range = plain.kind == PlainMatcher::Kind::kRange;
  const bool by_text = plain.kind == PlainMatcher::Kind::kExact || plain.kind == PlainMatcher::Kind::kPrefix;
  if (plain.value.state == Value::State::kNotYet || (!by_text && !whole)) return {State::kNotYet, 0};
  if (!plain.value.text) return {};
  const std::vector<size_t> asked = candidates(plain);
  for (size_t i = 0; i < asked.size(); ++i) {
    if (i > 0 && range && plain.exclusive[asked[i]]) continue;
    const Result result = naive(plain.entries[asked[i]].second);
    if (result.state != State::kNoMatch) return result;
  }
  return whole ? Result{} : Result{State::kNotYet, 0};
}

inline Result naive(const PlainMatcher& plain) {
  const Result result = naiveInner(plain);
  if (result.state != State::kNoMatch || !plain.on_no_match) return result;
  return naive(*plain.on_no_match);
}

// --- random ones -----------------------------------------------------------------------------------------------------

// `draw(n)` gives a number below n.
template <typename Draw>
class RandomTrees {
 public:
  explicit RandomTrees(Draw draw) : draw_(std::move(draw)) {}

  PlainMatcher matcher(int depth = 0) {
    PlainMatcher out;
    out.kind = static_cast<PlainMatcher::Kind>(draw_(8));
    out.value = valueFor(out.kind);
    const size_t count = draw_(4);
    for (size_t i = 0; i < count; ++i) {
      if (out.kind == PlainMatcher::Kind::kList) {
        out.list.emplace_back(predicate(depth), onMatch(depth));
        continue;
      }
      const std::string key = keyFor(out.kind);
      const bool known = std::any_of(out.entries.begin(), out.entries.end(), [&](auto& e) { return e.first == key; });
      const bool may_repeat = out.kind == PlainMatcher::Kind::kRange || out.kind >= PlainMatcher::Kind::kInteger;
      if (known && !may_repeat) continue;
      out.entries.emplace_back(key, onMatch(depth));
      out.exclusive.push_back(draw_(3) == 0);
    }
    if (draw_(3) == 0) out.on_no_match = onMatch(depth);
    return out;
  }

 private:
  static constexpr const char* kTexts[] = {"", "a", "ab", "abc", "b"};
  static constexpr const char* kRanges[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0"};

  static constexpr const char* kDomains[] = {"*", "*.a", "*.b.a", "b.a", "a"};
  static constexpr const char* kNumbers[] = {"-5..7", "0..1", "1..100", "7..9", "2..3"};

  std::string keyFor(PlainMatcher::Kind kind) {
    switch (kind) {
      case PlainMatcher::Kind::kRange:
        return kRanges[draw_(5)];
      case PlainMatcher::Kind::kDomain:
        return kDomains[draw_(5)];
      case PlainMatcher::Kind::kInteger:
      case PlainMatcher::Kind::kReal:
        return kNumbers[draw_(5)];
      default:
        return kTexts[draw_(5)];
    }
  }
  Value valueFor(PlainMatcher::Kind kind) {
    static constexpr const char* kAddresses[] = {"10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1", "::1", "x"};
    static constexpr const char* kNames[] = {"a", "b.a", "c.B.a", "xa", ".a", ""};
    static constexpr const char* kValues[] = {"0", "-5", "7", "2.5", "99", "7x"};
    switch (kind) {
      case PlainMatcher::Kind::kRange:
        return oneOf(kAddresses);
      case PlainMatcher::Kind::kDomain:
        return oneOf(kNames);
      case PlainMatcher::Kind::kInteger:
      case PlainMatcher::Kind::kReal:
        return oneOf(kValues);
      default:
        return text();
    }
  }
  Value oneOf(const char* const (&texts)[6]) {
    Value out{.state = state()};
    if (draw_(8) != 0) out.text = texts[draw_(6)];
    return out;
  }

  Value::State state() { return static_cast<Value::State>(std::min<size_t>(draw_(6), 2)); }
  Value text() {
    Value out{.state = state()};
    if (draw_(8) != 0) out.text = kTexts[draw_(5)];
    return out;
  }
  Predicate predicate(int depth) {
    const size_t kind = depth > 3 ? 0 : draw_(6);
    if (kind < 3) return equals(text(), kTexts[draw_(5)]);
    Predicate out;
    out.kind = static_cast<Predicate::Kind>(kind - 2);
    const size_t parts = out.kind == Predicate::Kind::kNot ? 1 : 2 + draw_(2);
    for (size_t i = 0; i < parts; ++i) out.parts.push_back(predicate(depth + 1));
    return out;
  }
  PlainOnMatch onMatch(int depth) {
    PlainOnMatch out;
    if (depth < 3 && draw_(3) == 0) out.matcher = std::make_shared<PlainMatcher>(matcher(depth + 1));
    out.action = static_cast<Action>(draw_(1000));
    out.keep_matching = draw_(5) == 0;
    return out;
  }

  Draw draw_;
};

}  // namespace sluice::match
