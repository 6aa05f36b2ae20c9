#include "source/stream/metadata_criteria.h"

#include <catch2/catch.hpp>

namespace sluice::stream {
namespace {

MetadataValue text(std::string value) {
  return {std::move(value)};
}

MetadataCriterion one(MetadataValue value) {
  return {"k", value};
}

TEST_CASE("criteria are equal where key and value are, and values of different kinds never are") {
  const MetadataValue list{MetadataList{text("a"), text("b")}};
  const MetadataValue turned{MetadataList{text("b"), text("a")}};
  const MetadataValue fields{MetadataFields{{"a", text("1")}, {"b", text("2")}}};
  const MetadataValue fields_turned{MetadataFields{{"b", text("2")}, {"a", text("1")}}};

  CHECK(one(text("a")) == one(text("a")));
  CHECK_FALSE(one(text("a")) == one(text("b")));
  CHECK_FALSE(one(text("1")) == one({1.0}));
  CHECK_FALSE(one(text("true")) == one({true}));
  CHECK_FALSE(one({true}) == one({false}));
  CHECK(one({-0.0}) == one({0.0}));
  CHECK_FALSE(one({std::monostate{}}) == one(text("")));
  CHECK_FALSE(one(list) == one(turned));
  CHECK(one(fields) == one(fields_turned));
  CHECK_FALSE(one(text("a")) == MetadataCriterion("l", text("a")));
}

TEST_CASE("the order of criteria does not matter, and later ones go over earlier ones") {
  const MetadataCriteria first({{"a", text("1")}, {"b", text("2")}});
  const MetadataCriteria turned({{"b", text("2")}, {"a", text("1")}});
  const MetadataCriteria over = first.with({{"b", text("3")}, {"c", text("4")}});

  CHECK(hashOfAll(first.criteria()) == hashOfAll(turned.criteria()));
  CHECK(first.criteria()[1] == turned.criteria()[1]);
  REQUIRE(over.criteria().size() == 3);
  CHECK(over.criteria()[1] == MetadataCriterion("b", text("3")));
  CHECK(first.fallbacks().empty());
}

TEST_CASE("a fallback list makes criteria of each of its entries") {
  const MetadataList entries{{MetadataFields{{"version", text("2")}}}, {MetadataFields{}}, text("nothing")};
  const MetadataCriteria criteria({{"version", text("1")}, {"stage", text("p")}, {"fallback_list", {entries}}});

  CHECK(criteria.criteria().size() == 3);
  REQUIRE(criteria.fallbacks().size() == 3);
  CHECK(criteria.fallbacks()[0].criteria().size() == 2);
  CHECK(criteria.fallbacks()[0].criteria()[1] == MetadataCriterion("version", text("2")));
  CHECK(criteria.fallbacks()[1].criteria()[1] == MetadataCriterion("version", text("1")));
  CHECK(criteria.fallbacks()[2].criteria()[1] == MetadataCriterion("version", text("1")));
}

TEST_CASE("a fallback list without entries is no criterion") {
  const MetadataValue list = GENERATE(MetadataValue{MetadataList{}}, text("none"));

  const MetadataCriteria criteria({{"version", text("1")}, {"fallback_list", list}});

  REQUIRE(criteria.fallbacks().size() == 1);
  REQUIRE(criteria.fallbacks()[0].criteria().size() == 1);
  CHECK(criteria.fallbacks()[0].criteria()[0] == MetadataCriterion("version", text("1")));
}

TEST_CASE("a list of a host is one value, or each of its elements is one") {
  const MetadataFields host{{"zones", {MetadataList{text("a"), text("b"), text("a")}}}};
  const MetadataCriterion a("zones", text("a")), b("zones", text("b")), whole("zones", host[0].value);

  CHECK(criteriaOf(&host, "zones", Lists::kOneValue) == std::vector{whole});
  CHECK(criteriaOf(&host, "zones", Lists::kEach) == std::vector{a, b});
  CHECK(criteriaOf(&host, "other", Lists::kEach).empty());
  CHECK(criteriaOf(nullptr, "zones", Lists::kEach).empty());
}

TEST_CASE("a host has to have all that is wanted") {
  const MetadataFields host{{"stage", text("p")}, {"version", {2.0}}};
  const MetadataFields by_filter{{"envoy.lb", {host}}, {"other", text("no fields")}};
  const MetadataCriteria both(host), more = both.with({{"canary", {true}}}), other({{"version", text("2")}});

  CHECK(hasAll(&host, both.criteria(), Lists::kOneValue));
  CHECK(hasAll(&host, {}, Lists::kOneValue));
  CHECK(hasAll(nullptr, {}, Lists::kOneValue));
  CHECK_FALSE(hasAll(&host, more.criteria(), Lists::kOneValue));
  CHECK_FALSE(hasAll(&host, other.criteria(), Lists::kOneValue));
  CHECK_FALSE(hasAll(nullptr, both.criteria(), Lists::kOneValue));
  CHECK(hasAll(fieldsUnder(&by_filter, kBalancingMetadata), both.criteria(), Lists::kEach));
  CHECK(fieldsUnder(&by_filter, "other") == nullptr);
  CHECK(fieldsUnder(&by_filter, "third") == nullptr);
  CHECK(fieldsUnder(nullptr, "other") == nullptr);
}

}  // namespace
}  // namespace sluice::stream
