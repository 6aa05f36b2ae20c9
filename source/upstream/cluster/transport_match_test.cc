#include "source/upstream/cluster/transport_match.h"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <utility>

namespace sluice::upstream::cluster {
namespace {

using stream::MetadataFields;
using stream::MetadataValue;

stream::FixedMetadata hostWith(MetadataFields fields, const std::string& filter = std::string(kTransportMetadata)) {
  return {{{filter, {std::move(fields)}}}, "id"};
}

TransportMatch match(const std::string& name, const MetadataFields& wanted) {
  TransportMatch out;
  out.name = name;
  for (const auto& field : wanted) out.wanted.emplace_back(field.name, field.value);
  return out;
}

TEST_CASE("a host fits a match if it has all of its values") {
  const TransportMatch both = match("both", {{"tls", {true}}, {"zone", {std::string("a")}}});

  CHECK(both.fits(hostWith({{"zone", {std::string("a")}}, {"tls", {true}}, {"more", {1.0}}})));
  CHECK_FALSE(both.fits(hostWith({{"tls", {true}}})));
  CHECK_FALSE(both.fits(hostWith({{"zone", {std::string("b")}}, {"tls", {true}}})));
  CHECK_FALSE(both.fits(hostWith({{"zone", {std::string("a")}}, {"tls", {std::string("true")}}})));
}

TEST_CASE("metadata of other filters chooses no transport") {
  const TransportMatch tls = match("tls", {{"tls", {true}}});

  CHECK_FALSE(tls.fits(hostWith({{"tls", {true}}}, "envoy.lb")));
  CHECK_FALSE(tls.fits({}));
}

TEST_CASE("a match that wants nothing fits every host") {
  CHECK(match("all", {}).fits({}));
}

TEST_CASE("the first match that fits counts") {
  TransportMatches matches;
  matches.list = {match("a", {{"k", {std::string("1")}}}), match("b", {{"k", {std::string("2")}}}),
                  match("c", {{"k", {std::string("2")}}})};

  REQUIRE(matches.find(hostWith({{"k", {std::string("2")}}})) != nullptr);
  CHECK(matches.find(hostWith({{"k", {std::string("2")}}}))->name == "b");
  CHECK(matches.find(hostWith({{"k", {std::string("3")}}})) == nullptr);
}

}  // namespace
}  // namespace sluice::upstream::cluster
