#include "source/control_plane/node_selector.h"

#include <catch2/catch.hpp>

namespace sluice::control_plane {
namespace {

const Node kEdge{.id = "edge-7", .cluster = "edge", .metadata = {{"zone", "a"}, {"team.name", "web"}}};

}  // namespace

TEST_CASE("A file without selectors is for every node") {
  CHECK(selects({}, kEdge));
}

TEST_CASE("Fields of a selector are ANDed") {
  CHECK(NodeSelector{.id = "edge-*", .cluster = "edge"}.matches(kEdge));
  CHECK(!NodeSelector{.id = "edge-*", .cluster = "other"}.matches(kEdge));
  CHECK(NodeSelector{.cluster = "edge", .metadata = {{"team.name", "w*"}}}.matches(kEdge));
  CHECK(!NodeSelector{.cluster = "edge", .metadata = {{"team.name", "x*"}}}.matches(kEdge));
  CHECK(!NodeSelector{.metadata = {{"absent", "*"}}}.matches(kEdge));
}

TEST_CASE("Selectors of a file are ORed") {
  CHECK(selects({{.id = "other"}, {.cluster = "edge"}}, kEdge));
  CHECK(!selects({{.id = "other"}, {.cluster = "middle"}}, kEdge));
}

TEST_CASE("A pattern is exact or ends in a star") {
  CHECK(!NodeSelector{.id = "edge"}.matches(kEdge));
  CHECK(NodeSelector{.id = "edge-7"}.matches(kEdge));
  CHECK(NodeSelector{.id = "*"}.matches(kEdge));
}

TEST_CASE("Selectors are compatible when one node could match both") {
  CHECK(compatible({{.id = "edge-*"}}, {{.id = "edge-7"}}));
  CHECK(compatible({{.id = "edge-*"}}, {{.cluster = "x"}}));
  CHECK(compatible({}, {{.id = "a"}}));
  CHECK(!compatible({{.id = "edge-*"}}, {{.id = "core-*"}}));
  CHECK(!compatible({{.id = "a"}, {.id = "b"}}, {{.id = "c"}}));
  CHECK(!compatible({{.metadata = {{"zone", "a"}}}}, {{.metadata = {{"zone", "b"}}}}));
}

}  // namespace sluice::control_plane
