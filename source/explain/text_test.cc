#include <catch2/catch.hpp>

#include "source/explain/explain.h"

namespace sluice::explain {
namespace {

using Catch::Matchers::Contains;

Explanation example() {
  Explanation out;
  out.listener = {.name = "edge", .addresses = {"127.0.0.1:80"}, .why = "it has port 80", .note = {}, .place = {}};
  out.request = {
      .method = "GET", .scheme = "http", .authority = "a", .path = "/x", .host = "a", .client = "10.0.0.1:0"};
  RoutePart& route = out.route.emplace();
  route.name = "all";
  route.index = 1;
  route.matched = "prefix /";
  route.passed = {{0, "beta", "header x-beta does not match"}};
  route.place = {"virtual_hosts[0].routes[1]", "edge.yaml", 12, 3};
  ForwardPart& forward = out.forward.emplace();
  forward.decided_by = "chance";
  forward.shares = {{.cluster = "a", .header = {}, .weight = 1, .total = 4},
                    {.cluster = "b", .header = {}, .weight = 3, .total = 4}};
  forward.timeout = std::chrono::milliseconds(15000);
  FilterPart& filter = out.filters.emplace_back();
  filter.name = "rbac";
  filter.enabled = false;
  filter.access = true;
  filter.why = "disabled by the route 'all'";
  filter.settings = R"({"rules":{}})";
  filter.settings_of = "filter";
  return out;
}

TEST_CASE("JSON has what applies, with exact shares and settings as JSON") {
  const nlohmann::ordered_json json = toJson(example());

  CHECK(json["route"]["index"] == 1);
  CHECK(json["route"]["place"]["line"] == 12);
  CHECK(json["forward"]["shares"][1]["percent"] == 75.0);
  CHECK(json["forward"]["timeout"] == 15000);
  CHECK_FALSE(json["forward"].contains("retry"));
  CHECK_FALSE(json.contains("answer"));
  CHECK(json["filters"][0]["enabled"] == false);
  CHECK(json["filters"][0]["settings"]["rules"].is_object());
}

TEST_CASE("The text tells the way of the request") {
  const std::string text = toText(toJson(example()));

  CHECK_THAT(text, Contains("edge on 127.0.0.1:80: it has port 80\n"));
  CHECK_THAT(text, Contains("#1 'all': prefix /  at virtual_hosts[0].routes[1] (edge.yaml:12)\n"));
  CHECK_THAT(text, Contains("not #0 'beta': header x-beta does not match\n"));
  CHECK_THAT(text, Contains("rbac (off): disabled by the route 'all'\n"));
  CHECK_THAT(text, Contains("one of these, by chance\n"));
  CHECK_THAT(text, Contains("b 3 of 4 (75.0%)\n"));
  CHECK_THAT(text, Contains("15000 ms\n"));
}

TEST_CASE("Where no filter that is on decides about access, the policy says so") {
  Explanation open = example();
  Explanation guarded = example();
  guarded.filters[0].enabled = true;

  CHECK_THAT(policyText(toJson(open)), Contains("everybody gets in"));
  CHECK_THAT(policyText(toJson(guarded)), !Contains("everybody gets in"));
}

TEST_CASE("JSON of another kind than expected is no reason to fail") {
  for (const char* json : {"{}", "[]", R"({"filters": 7, "route": "x", "forward": []})"}) {
    CAPTURE(json);
    CHECK_FALSE(toText(nlohmann::ordered_json::parse(json)).empty());
  }
}

}  // namespace
}  // namespace sluice::explain
