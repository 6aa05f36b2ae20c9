#include "source/match/tree.h"

#include <algorithm>
#include <functional>

namespace sluice::match {
namespace {

using State = Result::State;

constexpr Result kNothing{State::kNoMatch, 0};
constexpr Result kLater{State::kNotYet, 0};

State holds(const Predicate& predicate, const Data& data);

State singleHolds(const Predicate& predicate, const Data& data) {
  Scratch scratch;
  const Value value = predicate.input->get(data, scratch);
  if (value.state == Value::State::kNotYet) return State::kNotYet;
  const bool matches = predicate.custom != nullptr ? predicate.custom->matches(value)
                                                   : value.text.has_value() && predicate.text.matches(*value.text);
  if (matches) return State::kMatched;
  return value.state == Value::State::kGrowing ? State::kNotYet : State::kNoMatch;
}

// An unknown part makes the whole unknown, even if a later one would decide it.
State allHold(const std::vector<Predicate>& parts, const Data& data) {
  for (const Predicate& part : parts) {
    if (const State state = holds(part, data); state != State::kMatched) return state;
  }
  return State::kMatched;
}

State someHold(const std::vector<Predicate>& parts, const Data& data) {
  State all = State::kNoMatch;
  for (const Predicate& part : parts) {
    const State state = holds(part, data);
    if (state == State::kMatched) return state;
    if (state == State::kNotYet) all = state;
  }
  return all;
}

State holds(const Predicate& predicate, const Data& data) {
  switch (predicate.kind) {
    case Predicate::Kind::kSingle:
      return singleHolds(predicate, data);
    case Predicate::Kind::kAll:
      return allHold(predicate.parts, data);
    case Predicate::Kind::kSome:
      return someHold(predicate.parts, data);
    case Predicate::Kind::kNot:
      break;
  }
  switch (holds(predicate.parts[0], data)) {
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
Result follow(const OnMatch& on_match, const Data& data, Noted* noted) {
  const Result result =
      on_match.matcher != nullptr ? on_match.matcher->evaluate(data, noted) : Result{State::kMatched, on_match.action};
  if (result.state != State::kMatched || !on_match.keep_matching) return result;
  if (noted != nullptr) noted->onAction(result.action);
  return kNothing;
}

class Evaluation {
 public:
  Evaluation(const Data& data, Noted* noted) : data_(data), noted_(noted) {}

  Result operator()(std::monostate) { return kNothing; }

  Result operator()(const MatchList& list) {
    for (const Conditional& entry : list.entries) {
      const State state = holds(entry.predicate, data_);
      if (state == State::kNotYet) return kLater;
      if (state == State::kNoMatch) continue;
      const Result result = follow(entry.on_match, data_, noted_);
      if (result.state != State::kNoMatch) return result;
    }
    return kNothing;
  }

  Result operator()(const ExactMap& map) {
    Scratch scratch;
    const Value value = map.input->get(data_, scratch);
    if (value.state == Value::State::kNotYet) return kLater;
    if (!value.text) return kNothing;
    const auto found = map.entries.find(absl::string_view(value.text->data(), value.text->size()));
    return found == map.entries.end() ? missed(value) : orMissed(follow(found->second, data_, noted_), value);
  }

  Result operator()(const PrefixMap& map) {
    Scratch scratch;
    const Value value = map.input().get(data_, scratch);
    if (value.state == Value::State::kNotYet) return kLater;
    if (!value.text) return kNothing;
    Result result = kNothing;
    map.visit(*value.text, [&](const OnMatch& on_match) {
      result = follow(on_match, data_, noted_);
      return result.state != State::kNoMatch;
    });
    return orMissed(result, value);
  }

  Result operator()(const RangeMap& map) {
    Scratch scratch;
    const Value value = map.input->get(data_, scratch);
    if (value.state != Value::State::kWhole) return kLater;  // part of an address is none
    const std::optional<net::Address> address = addressOf(value);
    if (!address) return kNothing;
    Result result = kNothing;
    bool first = true;
    map.ranges.visit(*address, [&](const std::vector<RangeMap::Entry>& entries) {
      for (const RangeMap::Entry& entry : entries) {
        if (!std::exchange(first, false) && entry.exclusive) continue;
        result = follow(entry.on_match, data_, noted_);
        if (result.state != State::kNoMatch) return true;
      }
      return false;
    });
    return result;
  }

 private:
  static Result missed(const Value& value) { return value.state == Value::State::kGrowing ? kLater : kNothing; }
  static Result orMissed(Result result, const Value& value) {
    return result.state == State::kNoMatch ? missed(value) : result;
  }

  const Data& data_;
  Noted* const noted_;
};

}  // namespace

bool fromThisHost(const net::Address& remote, const net::Address& local) {
  if (!remote.isIp() || remote.isLoopback()) return true;
  return remote.withPort(0) == local.withPort(0);
}

std::optional<net::Address> addressOf(const Value& value) {
  if (value.address != nullptr) return *value.address;
  return value.text ? net::Address::fromIp(*value.text, 0) : std::nullopt;
}

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
  const Result result = std::visit(Evaluation(data, noted), how);
  if (result.state != State::kNoMatch || !on_no_match) return result;
  return follow(*on_no_match, data, noted);
}

}  // namespace sluice::match
