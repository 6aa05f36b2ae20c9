#include <catch2/catch.hpp>

#include "source/ctl/http_client.h"
#include "source/ctl/render.h"

namespace sluice::ctl {

using Catch::Matchers::Contains;
using nlohmann::json;

TEST_CASE("A URL is http with host and port, or a Unix socket") {
  CHECK(parseUrl("http://127.0.0.1:18001")->port == "18001");
  CHECK(parseUrl("http://127.0.0.1:18001/")->host == "127.0.0.1");
  CHECK(parseUrl("http://control")->port == "80");
  CHECK(parseUrl("http://[::1]:9901")->host == "::1");
  CHECK(parseUrl("http://[::1]")->port == "80");
  CHECK(parseUrl("unix:/run/control.sock")->path == "/run/control.sock");
}

TEST_CASE("What is no URL is refused") {
  for (const char* url :
       {"", "127.0.0.1:18001", "https://host:1", "http://", "http://host:port", "unix:", "http://a/b"}) {
    CAPTURE(url);
    CHECK(!parseUrl(url).ok());
  }
}

TEST_CASE("Columns of a table are as wide as their widest cell") {
  CHECK(table({{"A", "B"}, {"long", "x"}, {"c", ""}}) == "A     B\nlong  x\nc\n");
}

TEST_CASE("The status tells who refuses what and why, and how many serve the version") {
  const json status = json::parse(R"({"version": "v2", "resources": 3, "errors": [], "nodes_up_to_date": 1, "nodes": [
    {"id": "a", "cluster": "edge", "address": "1.2.3.4:5", "types": {"cluster":
      {"version_sent": "c2", "version_acknowledged": "c2", "up_to_date": true}}},
    {"id": "b", "cluster": "edge", "address": "1.2.3.4:6", "types": {"cluster":
      {"version_sent": "c2", "version_acknowledged": "c1", "up_to_date": false, "refused": "x: bad"}}}]})");

  const std::string text = renderStatus(status);

  CHECK_THAT(text, Contains("a     edge     1.2.3.4:5  cluster  c2    c2            ok"));
  CHECK_THAT(text, Contains("b refuses cluster: x: bad"));
  CHECK_THAT(text, Contains("1/2 proxies serve version v2 (3 resources)"));
}

TEST_CASE("The status tells the errors of a directory that was refused") {
  const json status = json::parse(R"({"version": "", "directory": "dir", "nodes": [], "errors":
    [{"file": "dir/a.yaml", "line": 3, "column": 7, "path": "resources[0].name", "message": "is empty"}]})");

  CHECK(renderStatus(status) == "dir/a.yaml:3:7: resources[0].name: is empty\ndir was never good; nothing is served\n");
}

TEST_CASE("The load is told by cluster and locality, and in one line of the fleet") {
  const json load = json::parse(R"({"total": {"proxies": 2, "requests_per_second": 20, "error_share": 0.125,
    "in_flight": 3, "dropped_per_second": 0.5}, "clusters": [{"cluster": "c", "proxies": 2, "requests_per_second": 20,
    "error_share": 0.125, "in_flight": 3, "dropped_per_second": 0.5, "localities": [{"locality": "r/a", "priority": 1,
    "proxies": 1, "requests_per_second": 12.34, "error_share": 0, "in_flight": 3}]}]})");

  CHECK(renderLoad(load) ==
        "CLUSTER  LOCALITY  PRIORITY  PROXIES  REQUESTS/S  ERRORS  IN FLIGHT  DROPPED/S\n"
        "c        all       all       2        20.0        12.50%  3          0.5\n"
        "c        r/a       1         1        12.3        0.00%   3          -\n"
        "2 proxies report 20.0 requests/s, 12.50% errors, 3 in flight, 0.5 dropped/s\n");
  CHECK(renderLoad(json::parse(R"({"total": {"proxies": 0}})")) == "no proxy reports its load\n");
}

TEST_CASE("The status ends with the load of the fleet, where the control plane tells it") {
  const json status = json::parse(R"({"version": "v1", "nodes": [], "load": {"proxies": 0}})");
  CHECK_THAT(renderStatus(status), Catch::Matchers::EndsWith("no proxy reports its load\n"));
}

TEST_CASE("An answer of another shape does not end the program") {
  CHECK(!renderStatus(json::parse(R"({"nodes": [1, {"types": 3}], "errors": 5})")).empty());
  CHECK(!renderResources(json::parse(R"([1])")).empty());
  CHECK(!renderLoad(json::parse(R"({"clusters": [1, {"localities": 5}], "total": []})")).empty());
}

}  // namespace sluice::ctl
