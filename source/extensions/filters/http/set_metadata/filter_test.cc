#include "source/extensions/filters/http/set_metadata/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/set_metadata/v3/set_metadata.pb.h"
#include "source/extensions/filters/http/set_metadata/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::set_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::set_metadata::v3;
using filter::testing::Harness;
using stream::MetadataList;

struct World : filter::testing::FilterWorld<v3::Config> {
  World() : FilterWorld(registerFactory, "http.p.set_metadata.") {}
  int denied(Harness& harness) { return counted(harness, "overwrite_denied"); }
};

double number(Harness& h, const std::vector<std::string>& path) {
  const stream::MetadataValue* value = h.stream.info().metadata().find("m", path);
  const auto* number = value == nullptr ? nullptr : std::get_if<double>(&value->value);
  return number == nullptr ? -1 : *number;
}

TEST_CASE("what is there stays and is counted, unless it may be overwritten") {
  World world;
  const std::string more = GENERATE("", ", allow_overwrite: true");
  const auto factory = world.compile(
      "metadata: [{metadata_namespace: m, value: {a: 1}}, {metadata_namespace: m, value: {a: 2, b: 3}" + more + "}]");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {}, true);

  CHECK(number(h, {"a"}) == (more.empty() ? 1 : 2));
  CHECK(number(h, {"b"}) == (more.empty() ? -1 : 3));
  CHECK(world.denied(h) == (more.empty() ? 1 : 0));
}

TEST_CASE("structures are merged, lists joined, and what is of another type is replaced") {
  World world;
  const auto factory = world.compile(
      "{metadata_namespace: m, value: {list: [1], other: [1], deep: {x: 1, y: {z: 1}}}, "
      "metadata: [{metadata_namespace: m, allow_overwrite: true, value: {list: [2, 3], other: 4, deep: {y: {w: "
      "5}}}}]}");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {}, true);

  const stream::MetadataValue* list = h.stream.info().metadata().find("m", {"list"});
  REQUIRE(list != nullptr);
  CHECK(std::get<MetadataList>(list->value).size() == 3);
  CHECK(std::get<double>(std::get<MetadataList>(list->value)[2].value) == 3);
  CHECK(number(h, {"other"}) == 4);
  CHECK(number(h, {"deep", "x"}) == 1);
  CHECK(number(h, {"deep", "y", "z"}) == 1);
  CHECK(number(h, {"deep", "y", "w"}) == 5);
}

TEST_CASE("a route's values replace the filter's") {
  World world;
  const auto factory = world.compile("metadata: [{metadata_namespace: m, value: {a: 1, b: 1}}]");
  const auto route = world.compileRoute("metadata: [{metadata_namespace: m, value: {a: 2}}]");
  REQUIRE(route);
  Harness h({factory}, {route});

  h.request("GET", {}, true);

  CHECK(number(h, {"a"}) == 2);
  CHECK(number(h, {"b"}) == -1);
}

TEST_CASE("entries that would set nothing are refused") {
  World world;

  CHECK_FALSE(world.compile("metadata: [{metadata_namespace: m}]"));
  CHECK_THAT(world.problems(), Catch::Contains("metadata[0]: has no value"));
  CHECK_FALSE(World().compile("{value: {a: 1}}"));
  CHECK_FALSE(World().compile("{metadata_namespace: m}"));
  CHECK(World().compile("{}"));
}

TEST_CASE("who a request is from is not set") {
  World world;

  CHECK_FALSE(world.compile("metadata: [{metadata_namespace: sluice.identity, value: {subject: a}}]"));
  CHECK_THAT(world.problems(), Catch::Contains("metadata[0].metadata_namespace: is where filters of authentication"));
  CHECK_FALSE(World().compile("{metadata_namespace: sluice.identity, value: {subject: a}}"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.compile("metadata: [{metadata_namespace: m, value: {a: 1}}]")}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::set_metadata
