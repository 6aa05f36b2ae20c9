#include "source/match/tree.h"

#include <algorithm>
#include <array>
#include <functional>

#include "source/base/ascii.h"

namespace sluice::match {
namespace {

using State = Result::State;

constexpr Result kNothing{State::kNoMatch, 0};
constexpr Result kLater{State::kNotYet, 0};

// A value in `scratch` is done with before anything else is asked, so one serves a whole evaluation; only keys that are
// compared again after what they led to was asked need one of their own.
State holds(const Predicate& predicate, const Data& data, Scratch& scratch);
Result evaluateIn(const Matcher& matcher, const Data& data, Noted* noted, Scratch& scratch);

State singleHolds(const Predicate& predicate, const Data& data, Scratch& scratch) {
  const Value value = predicate.input->get(data, scratch);
  if (value.state == Value::State::kNotYet) return State::kNotYet;
  const bool matches = predicate.custom != nullptr ? predicate.custom->matches(value)
                                                   : value.text.has_value() && predicate.text.matches(*value.text);
  if (matches) return State::kMatched;
  return value.state == Value::State::kGrowing ? State::kNotYet : State::kNoMatch;
}

// An unknown part makes the whole unknown, even if a later one would decide it.
State allHold(const std::vector<Predicate>& parts, const Data& data, Scratch& scratch) {
  for (const Predicate& part : parts) {
    if (const State state = holds(part, data, scratch); state != State::kMatched) return state;
  }
  return State::kMatched;
}

State someHold(const std::vector<Predicate>& parts, const Data& data, Scratch& scratch) {
  State all = State::kNoMatch;
  for (const Predicate& part : parts) {
    const State state = holds(part, data, scratch);
    if (state == State::kMatched) return state;
    if (state == State::kNotYet) all = state;
  }
  return all;
}

State holds(const Predicate& predicate, const Data& data, Scratch& scratch) {
  switch (predicate.kind) {
    case Predicate::Kind::kSingle:
      return singleHolds(predicate, data, scratch);
    case Predicate::Kind::kAll:
      return allHold(predicate.parts, data, scratch);
    case Predicate::Kind::kSome:
      return someHold(predicate.parts, data, scratch);
    case Predicate::Kind::kNot:
      break;
  }
  switch (holds(predicate.parts[0], data, scratch)) {
    case State::kMatched:
      return State::kNoMatch;
    case State::kNoMatch:
      return State::kMatched;
    case State::kNotYet:
      break;
  }
  return State::kNotYet;
}

// Where something matched: the answer, or kNoMatch if the search goes on.
Result follow(const OnMatch& on_match, const Data& data, Noted* noted, Scratch& scratch) {
  const Result result = on_match.matcher != nullptr ? evaluateIn(*on_match.matcher, data, noted, scratch)
                                                    : Result{State::kMatched, on_match.action};
  if (result.state != State::kMatched || !on_match.keep_matching) return result;
  if (noted != nullptr) noted->onAction(result.action);
  return kNothing;
}

class Evaluation {
 public:
  Evaluation(const Data& data, Noted* noted, Scratch& scratch) : data_(data), noted_(noted), scratch_(scratch) {}

  Result operator()(std::monostate) { return kNothing; }

  Result operator()(const MatchList& list) {
    for (const Conditional& entry : list.entries) {
      const State state = holds(entry.predicate, data_, scratch_);
      if (state == State::kNotYet) return kLater;
      if (state == State::kNoMatch) continue;
      const Result result = follow(entry.on_match);
      if (result.state != State::kNoMatch) return result;
    }
    return kNothing;
  }

  Result operator()(const ExactMap& map) {
    const Value value = map.input->get(data_, scratch_);
    if (value.state == Value::State::kNotYet) return kLater;
    if (!value.text) return kNothing;
    const auto found = map.entries.find(absl::string_view(value.text->data(), value.text->size()));
    return found == map.entries.end() ? missed(value) : orMissed(follow(found->second), value);
  }

  Result operator()(const PrefixMap& map) {
    Scratch key;
    const Value value = map.input().get(data_, key);
    if (value.state == Value::State::kNotYet) return kLater;
    if (!value.text) return kNothing;
    Result result = kNothing;
    map.visit(*value.text, [&](const OnMatch& on_match) {
      result = follow(on_match);
      return result.state != State::kNoMatch;
    });
    return orMissed(result, value);
  }

  Result operator()(const RangeMap& map) {
    const Value value = map.input->get(data_, scratch_);
    if (value.state != Value::State::kWhole) return kLater;  // part of an address is none
    const std::optional<net::Address> address = addressOf(value);
    if (!address) return kNothing;
    Result result = kNothing;
    bool first = true;
    map.ranges.visit(*address, [&](const std::vector<RangeMap::Entry>& entries) {
      for (const RangeMap::Entry& entry : entries) {
        if (!std::exchange(first, false) && entry.exclusive) continue;
        result = follow(entry.on_match);
        if (result.state != State::kNoMatch) return true;
      }
      return false;
    });
    return result;
  }

  Result operator()(const DomainMap& map) {
    const Value value = map.input->get(data_, scratch_);
    if (value.state != Value::State::kWhole) return kLater;  // part of a name is another name
    if (!value.text) return kNothing;
    std::array<char, DomainMap::kLongestName> buffer;
    if (value.text->empty() || value.text->size() > buffer.size()) return followIn(map.wildcards, {});
    std::transform(value.text->begin(), value.text->end(), buffer.begin(), base::lower);
    std::string_view name(buffer.data(), value.text->size());
    Result result = followIn(map.names, name);
    while (result.state == State::kNoMatch && !name.empty()) {
      name.remove_prefix(std::min(name.find('.'), name.size() - 1) + 1);
      result = followIn(map.wildcards, name);
    }
    return result;
  }

  template <typename T>
  Result operator()(const NumberMap<T>& map) {
    const Value value = map.input->get(data_, scratch_);
    if (value.state != Value::State::kWhole) return kLater;  // part of a number is another number
    const std::optional<T> number = numberOf<T>(value);
    if (!number) return kNothing;
    for (const auto& entry : map.entries) {
      if (*number < entry.start || *number >= entry.end) continue;
      const Result result = follow(entry.on_match);
      if (result.state != State::kNoMatch) return result;
    }
    return kNothing;
  }

 private:
  Result follow(const OnMatch& on_match) { return match::follow(on_match, data_, noted_, scratch_); }
  Result followIn(const absl::flat_hash_map<std::string, OnMatch>& map, std::string_view key) {
    const auto found = map.find(absl::string_view(key.data(), key.size()));
    return found == map.end() ? kNothing : follow(found->second);
  }
  static Result missed(const Value& value) { return value.state == Value::State::kGrowing ? kLater : kNothing; }
  static Result orMissed(Result result, const Value& value) {
    return result.state == State::kNoMatch ? missed(value) : result;
  }

  const Data& data_;
  Noted* const noted_;
  Scratch& scratch_;
};

Result evaluateIn(const Matcher& matcher, const Data& data, Noted* noted, Scratch& scratch) {
  const Result result = std::visit(Evaluation(data, noted, scratch), matcher.how);
  if (result.state != State::kNoMatch || !matcher.on_no_match) return result;
  return follow(*matcher.on_no_match, data, noted, scratch);
}

}  // namespace

PrefixMap::PrefixMap(std::shared_ptr<const Input> input, std::vector<std::pair<std::string, OnMatch>> entries)
    : input_(std::move(input)) {
  for (auto& [prefix, on_match] : entries) {
    lengths_.push_back(prefix.size());
    entries_.emplace(std::move(prefix), std::move(on_match));
  }
  std::sort(lengths_.begin(), lengths_.end(), std::greater<>());
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
}

Result Matcher::evaluate(const Data& data, Noted* noted) const {
  Scratch scratch;
  return evaluateIn(*this, data, noted, scratch);
}

}  // namespace sluice::match
