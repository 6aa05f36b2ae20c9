#include "source/match/metadata.h"

#include <catch2/catch.hpp>

#include <initializer_list>
#include <string>
#include <utility>

#include "source/http/headers.h"
#include "source/match/cookie.h"

namespace sluice::match {
namespace {

using Kind = MetadataValueMatcher::Kind;
using stream::MetadataValue;

MetadataValueMatcher exact(std::string text) {
  MetadataValueMatcher out;
  out.kind = Kind::kString;
  out.string.text = std::move(text);
  return out;
}

MetadataValueMatcher number(Kind kind, double start, double end = 0) {
  MetadataValueMatcher out;
  out.kind = kind;
  out.start = start;
  out.end = end;
  return out;
}

MetadataValueMatcher of(Kind kind, std::vector<MetadataValueMatcher> any = {}, bool flag = true) {
  MetadataValueMatcher out;
  out.kind = kind;
  out.flag = flag;
  out.any = std::move(any);
  return out;
}

bool matches(const MetadataValueMatcher& matcher, MetadataValue value) {
  return matcher.matches(&value);
}

}  // namespace

TEST_CASE("a value of metadata matches by its type and by what it is") {
  const MetadataValue text{std::string("a")}, one{1.0}, yes{true}, null{};

  CHECK(matches(exact("a"), text));
  CHECK_FALSE(matches(exact("1"), one));
  CHECK(matches(number(Kind::kNumber, 1), one));
  CHECK_FALSE(matches(number(Kind::kNumber, 1), yes));
  CHECK(matches(number(Kind::kRange, 1, 2), one));
  CHECK_FALSE(matches(number(Kind::kRange, 0, 1), one));
  CHECK(matches(of(Kind::kBool), yes));
  CHECK_FALSE(matches(of(Kind::kBool, {}, false), yes));
  CHECK_FALSE(matches(of(Kind::kBool, {}, false), null));
  CHECK(matches(of(Kind::kNull), null));
  CHECK_FALSE(matches(of(Kind::kNull), text));
  CHECK(matches(of(Kind::kPresent), null));
  CHECK_FALSE(matches(of(Kind::kPresent, {}, false), text));
}

TEST_CASE("a list matches by one of its values, and alternatives by one of them") {
  const MetadataValue list{stream::MetadataList{{std::string("a")}, {2.0}}};

  CHECK(matches(of(Kind::kOneOf, {exact("a")}), list));
  CHECK(matches(of(Kind::kOneOf, {number(Kind::kNumber, 2)}), list));
  CHECK_FALSE(matches(of(Kind::kOneOf, {exact("b")}), list));
  CHECK_FALSE(matches(of(Kind::kOneOf, {exact("a")}), {std::string("a")}));
  CHECK(matches(of(Kind::kAny, {exact("b"), of(Kind::kOneOf, {exact("a")})}), list));
  CHECK_FALSE(matches(of(Kind::kAny, {exact("b"), of(Kind::kNull)}), list));
}

TEST_CASE("an absent value of metadata matches nothing, and everything that is inverted") {
  stream::DynamicMetadata metadata;
  metadata.set("f", "k", {stream::MetadataFields{{"inner", {std::string("a")}}}});
  MetadataMatcher matcher{.filter = "f", .path = {"k", "inner"}, .value = exact("a")};
  MetadataMatcher absent{.filter = "f", .path = {"k", "other"}, .value = of(Kind::kPresent)};

  CHECK(matcher.matches(&metadata));
  CHECK_FALSE(matcher.matches(nullptr));
  CHECK_FALSE(absent.matches(&metadata));
  CHECK_FALSE(MetadataMatcher({.filter = "f", .path = {"k", "other"}, .value = of(Kind::kNull)}).matches(&metadata));
  absent.invert = matcher.invert = true;
  CHECK(absent.matches(&metadata));
  CHECK(absent.matches(nullptr));
  CHECK_FALSE(matcher.matches(&metadata));
}

TEST_CASE("an object of the filter state matches by its text, or by the address that its text is") {
  stream::FilterState state;
  state.set("name", "abc");
  state.set("v4", "10.1.2.3:80");
  state.set("v6", "2001:db8::1");
  FilterStateMatcher text;
  text.key = "name";
  text.string.text = "abc";
  FilterStateMatcher address;
  address.kind = FilterStateMatcher::Kind::kAddress;
  address.ranges = {*net::Cidr::make("10.0.0.0", 8), *net::Cidr::make("2001:db8::", 32)};
  const auto inside = [&](std::string key) {
    address.key = std::move(key);
    return address.matches(&state);
  };

  CHECK(text.matches(&state));
  CHECK_FALSE(text.matches(nullptr));
  text.key = "other";
  CHECK_FALSE(text.matches(&state));
  CHECK(inside("v4"));
  CHECK(inside("v6"));
  CHECK_FALSE(inside("name"));
  address.invert_ranges = true;
  CHECK_FALSE(inside("v4"));
  CHECK_FALSE(inside("name"));
  CHECK_FALSE(inside("absent"));
}

TEST_CASE("a cookie matches by its first value, and inverted where there is none") {
  base::Arena arena;
  http::RequestHeaders headers(arena);
  headers.add("cookie", "a=1; b=\"2\"");
  headers.add("cookie", "a=3");
  const auto found = [&](std::string name, std::string text, bool invert = false) {
    CookieMatcher matcher{std::move(name), {}, invert};
    matcher.string.text = std::move(text);
    return matcher.matches(headers);
  };

  CHECK(found("a", "1"));
  CHECK(found("b", "2"));
  CHECK_FALSE(found("a", "3"));
  CHECK_FALSE(found("A", "1"));
  CHECK_FALSE(found("c", ""));
  CHECK(found("c", "", true));
  CHECK(found("a", "3", true));
  CHECK_FALSE(found("a", "1", true));
}

}  // namespace sluice::match
