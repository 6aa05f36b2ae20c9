#include "source/ctl/expectations.h"

#include <catch2/catch.hpp>

namespace sluice::ctl {
namespace {

using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

// What is wrong with the file, one a line; empty: nothing.
std::string problems(const std::string& yaml) {
  config::ErrorList errors;
  const bool read = readExpectations("t.yaml", yaml, errors).has_value();
  CHECK(read == errors.empty());
  return errors.toString();
}

Expectation expectation(const std::string& expect) {
  config::ErrorList errors;
  const auto file =
      readExpectations("t.yaml", "tests:\n- request: {url: 'http://a/'}\n  expect: " + expect + "\n", errors);
  INFO(errors.toString());
  REQUIRE(file.has_value());
  return file->tests[0];
}

explain::Explanation forwarded(const std::string& cluster) {
  explain::Explanation out;
  out.listener.name = "main";
  out.virtual_host.emplace().name = "shop";
  out.route.emplace().name = "cart";
  out.route->index = 2;
  out.forward.emplace().cluster = cluster;
  return out;
}

TEST_CASE("A file of expectations says what is asked and what is to come") {
  config::ErrorList errors;

  const auto file = readExpectations(
      "t.yaml",
      "config: envoy.yaml\n"
      "tests:\n"
      "- name: carts\n"
      "  request: {method: POST, url: 'https://shop.example/cart?a=1', headers: {X-User: [a, b], x-n: 3}, source: "
      "10.0.0.1}\n"
      "  expect: {cluster: cart, status: 301, clusters: {v1: 99.5, v2: 0.5}, filters: {jwt: enabled, lua: disabled}, "
      "request_headers: {X-Shop: '1', x-gone: null}}\n"
      "- request: {url: 'http://shop.example/'}\n"
      "  expect: {redirect: 'https://shop.example/'}\n",
      errors);

  INFO(errors.toString());
  REQUIRE(file.has_value());
  CHECK(file->config == "envoy.yaml");
  REQUIRE(file->tests.size() == 2);
  const Expectation& first = file->tests[0];
  CHECK(first.name == "carts");
  CHECK(first.line == 3);
  CHECK(first.request.method == "POST");
  CHECK(first.request.path == "/cart?a=1");
  CHECK(first.request.headers.size() == 3);
  CHECK(first.cluster == "cart");
  CHECK(first.status == 301);
  CHECK(first.clusters == std::map<std::string, double>{{"v1", 99.5}, {"v2", 0.5}});
  CHECK(first.filters == std::map<std::string, bool>{{"jwt", true}, {"lua", false}});
  CHECK(first.request_headers ==
        std::map<std::string, std::optional<std::string>>{{"x-shop", "1"}, {"x-gone", std::nullopt}});
  CHECK(file->tests[1].name == "GET http://shop.example/");
}

TEST_CASE("What a file may not say is told with line and column") {
  const std::string good = "tests:\n- request: {url: 'http://a/'}\n  expect: {cluster: c}\n";
  CHECK(problems(good).empty());

  CHECK_THAT(problems("tests: []\n"), Contains("has no test"));
  CHECK_THAT(problems("[]"), Contains("is to be a mapping"));
  CHECK_THAT(problems(good + "other: 1\n"), Contains("t.yaml:4:8: other: is not known"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n"), Contains("tests[0]: has no expect"));
  CHECK_THAT(problems("tests:\n- expect: {cluster: c}\n"), Contains("has no request"));
  CHECK_THAT(problems("tests:\n- request: {method: GET}\n  expect: {cluster: c}\n"), Contains("has no url"));
  CHECK_THAT(problems("tests:\n- request: {url: here}\n  expect: {cluster: c}\n"),
             Contains("t.yaml:2:12: tests[0].request: "));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {cluser: c}\n"),
             Contains("t.yaml:3:20: tests[0].expect.cluser: is not known"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {status: 99}\n"), Contains("100 to 599"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {cluster: yes}\n"), Contains("in quotes"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {clusters: {a: 101}}\n"), Contains("0 to 100"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {filters: {a: on}}\n"),
             Contains("enabled or disabled"));
  CHECK_THAT(problems("tests:\n- request: {url: 'http://a/'}\n  expect: {}\n"), Contains("expects nothing"));
  CHECK_THAT(problems("tests:\n- {"), Contains("t.yaml:"));
}

TEST_CASE("What came as expected differs in nothing") {
  CHECK(differences(expectation("{cluster: c, route: cart, virtual_host: shop, listener: main}"), forwarded("c"))
            .empty());
}

TEST_CASE("Another cluster, an answer or a split in the place of a cluster is told") {
  explain::Explanation answered;
  answered.answer = explain::Answer{.status = 404, .details = "route_not_found"};
  explain::Explanation split = forwarded("");
  split.forward->shares = {{.cluster = "a", .weight = 9, .total = 10}, {.cluster = "b", .weight = 1, .total = 10}};
  const Expectation wants = expectation("{cluster: c}");

  CHECK(differences(wants, forwarded("d")) == Strings{"cluster: 'd' instead of 'c'"});
  CHECK(differences(wants, answered) == Strings{"cluster: an answer 404 (route_not_found) instead of 'c'"});
  CHECK(differences(wants, split) == Strings{"cluster: a split: a 90% b 10% instead of 'c'"});
  CHECK(differences(expectation("{clusters: {a: 90, b: 10}}"), split).empty());
  CHECK(differences(expectation("{clusters: {a: 80, b: 20}}"), split) ==
        Strings{"clusters: a split: a 90% b 10% instead of a 80% b 20%"});
  CHECK(differences(expectation("{clusters: {c: 100}}"), forwarded("c")).empty());
}

TEST_CASE("A status is one that the proxy answers by itself") {
  explain::Explanation redirected;
  redirected.answer = explain::Answer{.status = 301, .location = "https://a/"};

  CHECK(differences(expectation("{status: 301, redirect: 'https://a/'}"), redirected).empty());
  CHECK(differences(expectation("{status: 200}"), forwarded("c")) == Strings{"status: 'c' instead of 200"});
  CHECK(differences(expectation("{redirect: 'https://b/'}"), redirected) ==
        Strings{"redirect: 'https://a/' instead of 'https://b/'"});
}

TEST_CASE("Filters are enabled, disabled or not there") {
  explain::Explanation came = forwarded("c");
  came.filters = {{.name = "jwt", .enabled = false, .why = "disabled by route 'cart'"}};

  CHECK(differences(expectation("{filters: {jwt: disabled}}"), came).empty());
  CHECK(differences(expectation("{filters: {jwt: enabled}}"), came) ==
        Strings{"filter 'jwt': disabled instead of enabled (disabled by route 'cart')"});
  CHECK(differences(expectation("{filters: {lua: enabled}}"), came) ==
        Strings{"filter 'lua': the chain has none of this name"});
}

TEST_CASE("Changes of headers are met by their values, and removals by null") {
  explain::Explanation came = forwarded("c");
  came.request_changes = {{.action = "overwrite", .name = "x-a", .value = "1"}, {.action = "remove", .name = "x-b"}};

  CHECK(differences(expectation("{request_headers: {x-a: '1', x-b: null}}"), came).empty());
  CHECK(differences(expectation("{request_headers: {x-a: '2'}}"), came) ==
        Strings{"request header x-a: '1' instead of '2'"});
  CHECK(differences(expectation("{request_headers: {x-c: null}}"), came) ==
        Strings{"request header x-c: no change instead of its removal"});
}

TEST_CASE("The reason names virtual host, route and its place") {
  explain::Explanation came = forwarded("c");
  came.route->matched = "prefix /cart";
  came.route->place = {.path = "", .file = "a.yaml", .line = 3, .column = 5};
  came.route->passed = {{.index = 0, .name = "", .why = "method is not POST"}};

  CHECK(reasonOf(came) ==
        "listener 'main', virtual host 'shop', route 'cart' (prefix /cart) at a.yaml:3:5; not routes[0]: method is not "
        "POST");
}

TEST_CASE("The report for pipelines has a case a test and is XML whatever names are") {
  Expectation good = expectation("{cluster: c}"), bad = good;
  good.name = "good";
  bad.name = "a <\"&>\x01";

  const std::string xml = junitOf("f.yaml", {{&good, {}, "x"}, {&bad, {"cluster: 'd' instead of 'c'"}, "route 'r'"}});

  CHECK_THAT(xml, Contains("<testsuite name=\"f.yaml\" tests=\"2\" failures=\"1\">") &&
                      Contains("<testcase classname=\"f.yaml\" name=\"good\"/>") &&
                      Contains("name=\"a &lt;&quot;&amp;&gt;?\"") &&
                      Contains("GET http://a/&#10;cluster: 'd' instead of 'c'&#10;route 'r'</failure>"));
}

}  // namespace
}  // namespace sluice::ctl
