// The data path from socket to socket: what routes make of requests and count of them, through attempts.
#include <functional>
#include <string>
#include <utility>

#include "source/server/test_retry_path.h"

namespace sluice::server {
namespace {

// Two hosts that have names, whom a retry may ask one after the other.
struct NamedHosts : RetryPath {
  NamedHosts() : RetryPath("5xx") {
    upstream::cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (const auto& [name, address] : {std::pair("one.example", host.address), {"two.example", second.address}}) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = address;
      endpoint.hostname = name;
    }
    assign(assignment);
  }
  // The route of all requests, and what the host says besides.
  void use(
      const std::function<void(route::ForwardSpec&)>& change,
      const std::function<void(route::VirtualHostSpec&)>& say = [](route::VirtualHostSpec&) {}) {
    RetryPath::use();
    change(action);
    route::RouteSpec spec;
    spec.path = "/";
    spec.action = action;
    spec.stats = of_route;
    route::TableSpec table;
    route::VirtualHostSpec& everything = table.virtual_hosts.emplace_back();
    everything.name = "v";
    everything.domains = {"*"};
    everything.routes = {spec};
    say(everything);
    tables.set(0, *route::Table::build(std::move(table)));
  }
  int64_t counted(const std::string& name) { return registry.valueOf("vhost.v." + name).value_or(-1); }

  std::shared_ptr<const route::RequestStats> of_route = route::RequestStats::make(registry, "v", "route", "r");
};

}  // namespace

TEST_CASE("each attempt has the name of its host, and all of them tell the authority of the client once") {
  NamedHosts t;
  t.use([](route::ForwardSpec& action) {
    action.auto_host_rewrite = true;
    action.append_x_forwarded_host = true;
  });
  t.ask();

  const std::string first = t.seen();
  t.host.peer(0).send(kBusy);
  t.loop.turn();
  t.backOff();
  const std::string second = t.seenBySecond();
  t.answerBySecond();

  CHECK(contains(first, "host: one.example\r\n"));
  CHECK(contains(first, "x-forwarded-host: x\r\n"));
  CHECK(contains(first, "x-envoy-original-host: x\r\n"));
  CHECK(contains(second, "host: two.example\r\n"));
  CHECK(contains(second, "x-forwarded-host: x\r\n"));
  CHECK(contains(second, "x-envoy-original-host: x\r\n"));
}

TEST_CASE("the authority that is told is the client's, though the route had another one for the host's to replace") {
  NamedHosts t;
  t.use([](route::ForwardSpec& action) {
    action.host_rewrite = "between.example";
    action.auto_host_rewrite = true;
    action.append_x_forwarded_host = true;
  });
  t.ask();

  const std::string seen = t.seen();

  CHECK(contains(seen, "host: one.example\r\n"));
  CHECK(contains(seen, "x-forwarded-host: x\r\n"));
  CHECK(contains(seen, "x-envoy-original-host: x\r\n"));
  t.host.peer(0).send(kOk);
  t.loop.turn();
}

TEST_CASE("a host made of the request's words that is none is refused before a host is asked") {
  NamedHosts t;
  t.use([](route::ForwardSpec& action) { action.host_source.emplace().header = "x-host"; });

  TestClient& client = t.ask(request("GET", "/", "x-host: a/b\r\n"));
  t.loop.turn();

  CHECK(client.take().starts_with("HTTP/1.1 400 "));
  CHECK(t.log.at(0) == "/ 400 host_rewrite_invalid -");
}

TEST_CASE("a request counts in its route and virtual cluster once, however many attempts it took") {
  NamedHosts t;
  t.use([](route::ForwardSpec&) {},
        [&t](route::VirtualHostSpec& host) {
          host.virtual_clusters = {
              {.name = "other", .stats = route::RequestStats::make(t.registry, "v", "vcluster", "other")}};
        });
  TestClient& client = t.ask();
  t.answerBusy();
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");

  for (const std::string of : {"route.r.", "vcluster.other."}) {
    INFO(of);
    CHECK(t.counted(of + "upstream_rq_total") == 2);
    CHECK(t.counted(of + "upstream_rq_retry") == 1);
    CHECK(t.counted(of + "upstream_rq_retry_success") == 1);
    CHECK(t.counted(of + "upstream_rq_completed") == 1);
    CHECK(t.counted(of + "upstream_rq_2xx") == 1);
    CHECK(t.counted(of + "upstream_rq_5xx") == 0);
  }
}

TEST_CASE("answers in a host's stead count in the route, and so do retries that were not made") {
  NamedHosts t;
  t.use([](route::ForwardSpec&) {});
  t.ask();
  t.answerBusy();
  t.answerBusyBySecond();
  CHECK(t.counted("route.r.upstream_rq_retry_limit_exceeded") == 1);
  CHECK(t.counted("route.r.upstream_rq_5xx") == 1);

  t.hosts({});
  t.ask();
  t.loop.turn();

  CHECK(t.log.at(1) == "/ 503 no_healthy_upstream UH");
  CHECK(t.counted("route.r.upstream_rq_5xx") == 2);
  CHECK(t.counted("route.r.upstream_rq_total") == 2);
}

}  // namespace sluice::server
