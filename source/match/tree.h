// A compiled choice: conditions in order, or a table that one value is looked up in, and what it leads to.
// (proto: xds.type.matcher.v3.Matcher)
//
// Built on main by source/config/matcher_compiler, immutable, shared by all workers. It knows actions as numbers, which
// mean something to whoever built it. Evaluating allocates nothing of its own, but for values that inputs have to make
// and that are too long for a Scratch; its cost is that of the inputs that are asked, plus one look-up for each map (of
// a name one a label, of a number one comparison a range), and its depth is bounded when it is built.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/match/input.h"
#include "source/match/string.h"
#include "source/net/cidr.h"

namespace sluice::match {

using Action = uint32_t;

struct Result {
  // kNotYet: the answer depends on what has not come yet; ask again.
  enum class State : uint8_t { kMatched, kNoMatch, kNotYet };

  State state = State::kNoMatch;
  Action action = 0;  // kMatched only

  friend bool operator==(const Result&, const Result&) = default;
};

// Takes actions that are noted while the search goes on (keep_matching). Null: nobody wants them.
class Noted {
 public:
  virtual ~Noted() = default;
  virtual void onAction(Action action) = 0;
};

struct Matcher;

struct OnMatch {
  std::shared_ptr<const Matcher> matcher;  // asked next; null: `action` is the answer
  Action action = 0;
  bool keep_matching = false;
};

struct Predicate {
  enum class Kind : uint8_t { kSingle, kAll, kSome, kNot };

  Kind kind = Kind::kSingle;
  // kSingle. A value is given to `custom` or, if that is null, to `text`.
  std::shared_ptr<const Input> input;
  StringMatcher text;
  std::shared_ptr<const ValueMatcher> custom;
  // The others; one for kNot.
  std::vector<Predicate> parts;
};

struct Conditional {
  Predicate predicate;
  OnMatch on_match;
};

// In order; the first that matches and leads to something counts.
struct MatchList {
  std::vector<Conditional> entries;
};

struct ExactMap {
  std::shared_ptr<const Input> input;
  absl::flat_hash_map<std::string, OnMatch> entries;
};

// The longest prefix that leads to something counts.
class PrefixMap {
 public:
  PrefixMap(std::shared_ptr<const Input> input, std::vector<std::pair<std::string, OnMatch>> entries);

  const Input& input() const { return *input_; }
  // Calls `visit` with what stands at each prefix of `key`, longest first, until it returns true; whether it did.
  template <typename Visit>
  bool visit(std::string_view key, Visit visit) const {
    for (const size_t length : lengths_) {
      if (length > key.size()) continue;
      const auto found = entries_.find(absl::string_view(key.data(), length));
      if (found != entries_.end() && visit(found->second)) return true;
    }
    return false;
  }

 private:
  std::shared_ptr<const Input> input_;
  absl::flat_hash_map<std::string, OnMatch> entries_;
  std::vector<size_t> lengths_;  // those in use, longest first
};

// The most specific range that leads to something counts; of equal ones the first.
struct RangeMap {
  struct Entry {
    OnMatch on_match;
    bool exclusive = false;  // not asked once another entry was
  };

  std::shared_ptr<const Input> input;
  net::CidrMap<std::vector<Entry>> ranges;
};

// A server name by domains: the name itself, then wildcards (`*.example.com`, at least one label more) from the longest
// to `*`; the first that leads to something counts. Case is ignored. (proto: ServerNameMatcher)
struct DomainMap {
  // Longer names are no domain; only `*` takes them. (RFC 1035 section 2.3.4)
  static constexpr size_t kLongestName = 255;

  std::shared_ptr<const Input> input;
  absl::flat_hash_map<std::string, OnMatch> names;      // in lower case
  absl::flat_hash_map<std::string, OnMatch> wildcards;  // without "*."; "" is `*`
};

// Ranges of numbers, start <= value < end, in order: the first that holds the value and leads to something counts.
template <typename T>
struct NumberMap {
  struct Entry {
    T start = 0, end = 0;
    OnMatch on_match;
  };

  std::shared_ptr<const Input> input;
  std::vector<Entry> entries;
};

struct Matcher {
  // Levels of matchers and predicates, one in the other, and entries of all of them together.
  static constexpr int kMaxDepth = 32;
  static constexpr size_t kMaxEntries = 100'000;

  Result evaluate(const Data& data, Noted* noted = nullptr) const;

  std::variant<std::monostate, MatchList, ExactMap, PrefixMap, RangeMap, DomainMap, NumberMap<int64_t>,
               NumberMap<double>>
      how;
  std::optional<OnMatch> on_no_match;
  uint8_t needs = 0;  // bits of Part, of all inputs; filled at the root only
};

}  // namespace sluice::match
