#include "source/extensions/filters/http/grpc_stats/filter.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "source/route/cluster_names.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_stats {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;

Settings basic() {
  Settings s;
  s.methods["/a.B/C"] = shownMethod("/a.B/C", false);
  s.emit_filter_state = true;
  return s;
}

using Counts = std::map<std::string, uint64_t>;

std::shared_ptr<const route::Table> tableTo(const std::string& cluster) {
  route::ClusterNames names;
  route::RouteSpec to;
  to.path = "/";
  route::ForwardSpec forward;
  forward.cluster = names.idOf(cluster);
  forward.cluster_name = cluster;
  to.action = std::move(forward);
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(to));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

struct Counted : Harness {
  explicit Counted(Settings settings = basic()) : Harness({std::make_shared<FilterFactory>(std::move(settings))}) {
    base::Arena arena;
    http::RequestHeaders any(arena);
    any.path = "/";
    any.authority = "a.example";
    stream.setRoute(table->match(any, 0));
  }
  void call(std::string_view path) {
    stream.request().path = stream.arena().copy(path);
    request("POST", {{"content-type", "application/grpc"}}, false);
    runner->requestData(framed("one") + framed("two"), true);
    respond(200, {{"content-type", "application/grpc"}}, false);
    runner->responseData(framed("x"), false);
  }

  const std::shared_ptr<const route::Table> table = tableTo("up");
};

TEST_CASE("calls and messages of a listed method are counted under its name, in its cluster") {
  Counted h;
  h.call("/a.B/C?x");
  h.responseTrailers({{"grpc-status", "0"}});
  h.runner->end();
  CHECK(h.calls.counts == Counts{{"up.grpc.a.B.C.0", 1},
                                 {"up.grpc.a.B.C.success", 1},
                                 {"up.grpc.a.B.C.total", 1},
                                 {"up.grpc.a.B.C.request_message_count", 2},
                                 {"up.grpc.a.B.C.response_message_count", 1}});
  CHECK(h.stream.info().filterState().get<stream::FilterState::Text>("envoy.filters.http.grpc_stats")->text() ==
        "{\"request_message_count\":2,\"response_message_count\":1}");
}

TEST_CASE("all other methods share their stats; a status other than 0 is a failure") {
  Counted h;
  h.call("/any/thing");
  h.responseTrailers({{"grpc-status", "5"}});
  CHECK(h.calls.counts["up.grpc.5"] == 1);
  CHECK(h.calls.counts["up.grpc.failure"] == 1);
  CHECK(h.calls.counts["up.grpc.total"] == 1);
}

TEST_CASE("all methods have stats of their own where that is wanted, but for names that are none") {
  Settings s = basic();
  s.all_methods = s.replace_dots = true;
  const auto [path, shown] = GENERATE(table<std::string, std::string>({{"/x.Y/Z", "up.grpc.x_Y.Z.total"},
                                                                       {"/x.Y", "up.grpc.total"},
                                                                       {"/x/y/z", "up.grpc.total"},
                                                                       {"/a%2f/b", "up.grpc.total"}}));
  Counted h(std::move(s));
  h.call(path);
  h.responseTrailers({{"grpc-status", "0"}});
  CHECK(h.calls.counts[shown] == 1);
}

TEST_CASE("a status in the head counts, and no status is a failure") {
  const bool status = GENERATE(false, true);
  Counted h;
  h.request("POST", {{"content-type", "application/grpc"}}, true);
  h.respond(200, status ? Fields{{"grpc-status", "0"}} : Fields{}, true);
  CHECK(h.calls.counts["up.grpc.success"] == (status ? 1 : 0));
  CHECK(h.calls.counts["up.grpc.failure"] == (status ? 0 : 1));
}

TEST_CASE("a call that is cut counts as a failure, once") {
  Counted h;
  h.call("/a.B/C");
  h.runner->resetResponse("upstream_reset");
  h.runner->end();
  CHECK(h.calls.counts["up.grpc.a.B.C.failure"] == 1);
  CHECK(h.calls.counts["up.grpc.a.B.C.total"] == 1);
}

TEST_CASE("other requests are not counted") {
  Counted h;
  h.request("POST", {{"content-type", "application/json"}}, true);
  h.respond(200, {}, true);
  h.runner->end();
  CHECK(h.calls.counts.empty());
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.max_runs = 2000;
  suite.request.headers = {{"content-type", "application/grpc"}};
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(basic())};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_stats
