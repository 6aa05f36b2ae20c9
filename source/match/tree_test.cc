#include "source/match/tree.h"

#include <catch2/catch.hpp>

#include "source/base/random.h"
#include "source/match/random_trees.h"
#include "source/stream/metadata.h"

namespace sluice::match {
namespace {

using ValueState = Value::State;

constexpr Result kNoMatch{State::kNoMatch, 0};
constexpr Result kNotYet{State::kNotYet, 0};

Result matched(Action action) {
  return {State::kMatched, action};
}

// A predicate that is known to hold, known not to, or not known.
Predicate known(State state) {
  if (state == State::kNotYet) return equals({.state = ValueState::kNotYet}, "a");
  return equals({.text = "a"}, state == State::kMatched ? "a" : "b");
}

Predicate of(Predicate::Kind kind, std::vector<State> parts) {
  Predicate out;
  out.kind = kind;
  for (const State part : parts) out.parts.push_back(known(part));
  return out;
}

State stateOf(Predicate predicate) {
  Matcher matcher;
  matcher.how = MatchList{{{std::move(predicate), leadsTo(1)}}};
  return matcher.evaluate({}).state;
}

Matcher listOf(std::vector<Conditional> entries, std::optional<OnMatch> on_no_match = {}) {
  Matcher out;
  out.how = MatchList{std::move(entries)};
  out.on_no_match = std::move(on_no_match);
  return out;
}

std::shared_ptr<const Matcher> shared(Matcher matcher) {
  return std::make_shared<const Matcher>(std::move(matcher));
}

Result lookUp(Value value, std::vector<std::pair<std::string, OnMatch>> entries, bool by_prefix) {
  Matcher matcher;
  if (by_prefix) {
    matcher.how = PrefixMap(input(value), std::move(entries));
  } else {
    matcher.how = ExactMap{input(value), {entries.begin(), entries.end()}};
  }
  matcher.on_no_match = leadsTo(99);
  return matcher.evaluate({});
}

TEST_CASE("the first entry of a list that holds is the answer") {
  CHECK(listOf({{known(State::kNoMatch), leadsTo(1)}, {known(State::kMatched), leadsTo(2)}}).evaluate({}) ==
        matched(2));
  CHECK(listOf({{known(State::kMatched), leadsTo(1)}, {known(State::kMatched), leadsTo(2)}}).evaluate({}) ==
        matched(1));
}

TEST_CASE("without a match the answer is that of on_no_match, or none") {
  CHECK(listOf({{known(State::kNoMatch), leadsTo(1)}}).evaluate({}) == kNoMatch);
  CHECK(listOf({{known(State::kNoMatch), leadsTo(1)}}, leadsTo(7)).evaluate({}) == matched(7));
  CHECK(Matcher{}.evaluate({}) == kNoMatch);
}

TEST_CASE("an entry that is not known yet holds up those behind it and on_no_match") {
  CHECK(listOf({{known(State::kNotYet), leadsTo(1)}, {known(State::kMatched), leadsTo(2)}}, leadsTo(7)).evaluate({}) ==
        kNotYet);
  CHECK(listOf({{known(State::kMatched), leadsTo(2)}, {known(State::kNotYet), leadsTo(1)}}).evaluate({}) == matched(2));
}

TEST_CASE("conditions combine what is true, false and not known yet") {
  using Kind = Predicate::Kind;
  constexpr State yes = State::kMatched, no = State::kNoMatch, later = State::kNotYet;

  CHECK(stateOf(of(Kind::kAll, {yes, yes})) == yes);
  CHECK(stateOf(of(Kind::kAll, {yes, no})) == no);
  CHECK(stateOf(of(Kind::kAll, {no, later})) == no);
  CHECK(stateOf(of(Kind::kAll, {yes, later})) == later);
  CHECK(stateOf(of(Kind::kSome, {no, no})) == no);
  CHECK(stateOf(of(Kind::kSome, {no, yes})) == yes);
  CHECK(stateOf(of(Kind::kSome, {later, yes})) == yes);
  CHECK(stateOf(of(Kind::kSome, {later, no})) == later);
  CHECK(stateOf(of(Kind::kNot, {yes})) == no);
  CHECK(stateOf(of(Kind::kNot, {no})) == yes);
  CHECK(stateOf(of(Kind::kNot, {later})) == later);
}

TEST_CASE("an absent value matches no text, not even the empty one") {
  CHECK(stateOf(equals({}, "")) == State::kNoMatch);
  CHECK(stateOf(equals({.text = ""}, "")) == State::kMatched);
}

TEST_CASE("a value that grows may match at once, and does not fail to before it is whole") {
  CHECK(stateOf(equals({.state = ValueState::kGrowing, .text = "a"}, "a")) == State::kMatched);
  CHECK(stateOf(equals({.state = ValueState::kGrowing, .text = "a"}, "ab")) == State::kNotYet);
  CHECK(lookUp({.state = ValueState::kGrowing, .text = "a"}, {{"ab", leadsTo(1)}}, false) == kNotYet);
  CHECK(lookUp({.state = ValueState::kGrowing, .text = "a"}, {{"a", leadsTo(1)}}, false) == matched(1));
}

TEST_CASE("a nested matcher that matches nothing makes what led to it not match") {
  const auto nothing = shared(listOf({{known(State::kNoMatch), leadsTo(1)}}));

  CHECK(listOf({{known(State::kMatched), leadsTo(nothing)}, {known(State::kMatched), leadsTo(2)}}).evaluate({}) ==
        matched(2));
  CHECK(lookUp({.text = "a"}, {{"a", leadsTo(nothing)}}, false) == matched(99));
}

TEST_CASE("an exact map answers for whole keys, a prefix map for the longest prefix that leads to something") {
  const auto nothing = shared(Matcher{});

  CHECK(lookUp({.text = "ab"}, {{"a", leadsTo(1)}, {"ab", leadsTo(2)}}, false) == matched(2));
  CHECK(lookUp({.text = "abc"}, {{"a", leadsTo(1)}, {"ab", leadsTo(2)}}, false) == matched(99));
  CHECK(lookUp({.text = "abc"}, {{"a", leadsTo(1)}, {"ab", leadsTo(2)}, {"abcd", leadsTo(3)}}, true) == matched(2));
  CHECK(lookUp({.text = "abc"}, {{"a", leadsTo(1)}, {"ab", leadsTo(nothing)}}, true) == matched(1));
  CHECK(lookUp({.text = "b"}, {{"", leadsTo(1)}}, true) == matched(1));
}

TEST_CASE("a map takes an absent value to on_no_match, and waits for one that is not there yet") {
  const bool by_prefix = GENERATE(false, true);

  CHECK(lookUp({}, {{"", leadsTo(1)}}, by_prefix) == matched(99));
  CHECK(lookUp({.state = ValueState::kNotYet}, {{"", leadsTo(1)}}, by_prefix) == kNotYet);
}

TEST_CASE("ranges are asked from the most specific up, exclusive ones only first") {
  RangeMap map;
  map.input = input({.text = "10.1.2.3"});
  map.ranges.at(*net::Cidr::make("10.0.0.0", 8)).push_back({leadsTo(1), true});
  map.ranges.at(*net::Cidr::make("10.1.0.0", 16)).push_back({leadsTo(shared(Matcher{})), false});
  map.ranges.at(*net::Cidr::make("0.0.0.0", 0)).push_back({leadsTo(3), false});
  Matcher matcher;
  matcher.how = std::move(map);

  CHECK(matcher.evaluate({}) == matched(3));
}

TEST_CASE("text that is no address is in no range") {
  RangeMap map;
  map.input = input({.text = "host"});
  map.ranges.at(net::Cidr::all(net::Address::Family::kIpv4)).push_back({leadsTo(1), false});
  Matcher matcher;
  matcher.how = std::move(map);
  matcher.on_no_match = leadsTo(2);

  CHECK(matcher.evaluate({}) == matched(2));
}

TEST_CASE("a server name finds itself, then the longest wildcard, then the star, whatever its case") {
  const auto found = [](std::string_view name) {
    Matcher matcher;
    matcher.how = domainsOf(
        {.text = name},
        {{"www.example.com", leadsTo(1)}, {"*.example.com", leadsTo(2)}, {"*.com", leadsTo(3)}, {"*", leadsTo(4)}});
    return matcher.evaluate({});
  };

  CHECK(found("WWW.example.com") == matched(1));
  CHECK(found("db.Example.com") == matched(2));
  CHECK(found("a.b.example.com") == matched(2));
  CHECK(found("example.com") == matched(3));
  CHECK(found("com") == matched(4));
  CHECK(found("xexample.org") == matched(4));
  CHECK(found(std::string(300, 'a') + ".com") == matched(4));
}

TEST_CASE("a domain that leads to nothing leaves the name to the next shorter wildcard") {
  const auto nothing = leadsTo(shared(listOf({{known(State::kNoMatch), leadsTo(1)}})));
  Matcher matcher;
  matcher.how = domainsOf({.text = "a.b.c"}, {{"a.b.c", nothing}, {"*.b.c", nothing}, {"*.c", leadsTo(2)}});

  CHECK(matcher.evaluate({}) == matched(2));
}

TEST_CASE("the first range that holds a number and leads to something counts; its end is outside") {
  const auto nothing = leadsTo(shared(listOf({{known(State::kNoMatch), leadsTo(1)}})));
  const auto found = [&](Value value) {
    Matcher matcher;
    matcher.how = numbersOf<int64_t>(value, {{"0..10", nothing}, {"5..10", leadsTo(1)}, {"5..20", leadsTo(2)}});
    return matcher.evaluate({});
  };

  CHECK(found({.text = "5"}) == matched(1));
  CHECK(found({.text = "10"}) == matched(2));
  CHECK(found({.text = "20"}) == kNoMatch);
  CHECK(found({.text = "4"}) == kNoMatch);
  CHECK(found({.text = "5.0"}) == kNoMatch);
  CHECK(found({.text = "five"}) == kNoMatch);
  CHECK(found({}) == kNoMatch);
  CHECK(found({.state = ValueState::kGrowing, .text = "5"}) == kNotYet);
}

TEST_CASE("a structured number is a number, and a whole one only if it has no fraction") {
  const stream::MetadataValue whole{7.0}, half{7.5}, huge{1e300}, text{std::string("7")};

  CHECK(numberOf<int64_t>({.structured = &whole}) == 7);
  CHECK(numberOf<double>({.structured = &half}) == 7.5);
  CHECK_FALSE(numberOf<int64_t>({.structured = &half}));
  CHECK_FALSE(numberOf<int64_t>({.structured = &huge}));
  CHECK(numberOf<int64_t>({.text = "7", .structured = &text}) == 7);
  CHECK(numberOf<double>({.text = "-1.5"}) == -1.5);
  CHECK_FALSE(numberOf<double>({.text = "inf"}));
  CHECK_FALSE(numberOf<double>({.text = "1.5s"}));
  CHECK_FALSE(numberOf<int64_t>({.text = ""}));
}

// A value that has to be made, in the scratch.
struct MadeInput : Input {
  explicit MadeInput(std::string text) : text(std::move(text)) {}
  uint8_t needs() const override { return 0; }
  Value get(const Data&, Scratch& scratch) const override {
    scratch = text;
    return {.text = scratch};
  }
  std::string text;
};

TEST_CASE("a key that had to be made stays as it is while what it led to is asked") {
  const auto made = [](const char* text) { return std::make_shared<MadeInput>(text); };
  Matcher inner;
  inner.how = ExactMap{made("another text, which is long as well"), {}};
  Matcher matcher;
  matcher.how = PrefixMap(made("a key that is too long for a small string"),
                          {{"a key that is too long", leadsTo(shared(std::move(inner)))}, {"a key", leadsTo(2)}});

  CHECK(matcher.evaluate({}) == matched(2));
}

TEST_CASE("an action that keeps matching is noted, and the search goes on") {
  struct List : Noted {
    void onAction(Action action) override { actions.push_back(action); }
    std::vector<Action> actions;
  } noted;
  OnMatch keeps = leadsTo(1);
  keeps.keep_matching = true;
  OnMatch keeps_nested = leadsTo(shared(listOf({{known(State::kMatched), leadsTo(2)}})));
  keeps_nested.keep_matching = true;

  const Matcher matcher = listOf({{known(State::kMatched), keeps}, {known(State::kMatched), keeps_nested}}, leadsTo(3));

  CHECK(matcher.evaluate({}, &noted) == matched(3));
  CHECK(noted.actions == std::vector<Action>{1, 2});
  CHECK(matcher.evaluate({}) == matched(3));
}

TEST_CASE("trees answer as going through every entry does") {
  base::Random random(7);
  RandomTrees trees([&random](size_t below) { return random.below(below); });
  size_t matches = 0, waits = 0;

  for (int i = 0; i < 100'000; ++i) {
    const PlainMatcher plain = trees.matcher();
    const Result result = compiled(plain)->evaluate({});
    REQUIRE(result == naive(plain));
    matches += result.state == State::kMatched;
    waits += result.state == State::kNotYet;
  }

  CHECK(matches > 10'000);
  CHECK(waits > 10'000);
}

}  // namespace
}  // namespace sluice::match
