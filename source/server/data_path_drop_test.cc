// The data path from socket to socket: requests that the endpoints of a cluster want dropped.
#include "source/config/assignment_compiler.h"
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

struct Dropping : DataPath {
  explicit Dropping(uint32_t per_million) {
    stats.rq_drop_overload = registry.counter("drop_overload");
    stats.rq_5xx = registry.counter("rq_5xx");
    upstream::cluster::Assignment assignment;
    assignment.localities.emplace_back().endpoints.emplace_back().address = host.address;
    assignment.drop_per_million = per_million;
    assign(assignment);
  }
};

TEST_CASE("a cluster whose endpoints want all requests dropped is asked nothing") {
  Dropping t(1'000'000);
  TestClient& client = t.connect();
  client.send(get());
  t.loop.turn();
  const std::string got = client.take();

  CHECK(t.log.at(0) == "/ 503 unconditional_drop_overload UDO");
  CHECK(bodyOf(got) == "unconditional drop overload");
  CHECK(contains(got, "x-envoy-unconditional-drop-overload: true"));
  CHECK(t.stat("drop_overload") == 1);
  CHECK(t.stat("rq_5xx") == 1);
  CHECK(t.host.accept() == 0);
}

TEST_CASE("a share of requests is dropped, and the others are sent") {
  Dropping t(500'000);
  TestClient& client = t.connect();
  int dropped = 0;
  for (int i = 0; i < 200; ++i) {
    client.send(get());
    t.loop.turn();
    if (t.host.accept() > 0 && !t.host.peer(0).take().empty()) t.host.peer(0).send(kOk);
    t.loop.turn();
    const std::string got = client.take();
    if (bodyOf(got) == "ok") continue;
    REQUIRE(bodyOf(got) == "drop overload");
    CHECK(contains(got, "x-envoy-drop-overload: true"));
    ++dropped;
  }

  CHECK(dropped > 60);
  CHECK(dropped < 140);
  CHECK(t.stat("drop_overload") == dropped);
}

TEST_CASE("requests that the proxy makes itself are dropped as others are") {
  Dropping t(1'000'000);
  std::string failure;
  const auto call = t.calls.send({.cluster = "c", .authority = "x"},
                                 [&](worker::HttpCallResponse response) { failure = response.failure; });
  t.loop.turn();

  CHECK(failure == "drop_overload");
  CHECK(t.host.accept() == 0);
}

TEST_CASE("each category takes its share of what those before it leave") {
  const auto dropped = [](const std::vector<std::pair<uint32_t, int>>& drops) {
    envoy::config::endpoint::v3::ClusterLoadAssignment proto;
    for (const auto& [numerator, denominator] : drops) {
      auto& drop = *proto.mutable_policy()->add_drop_overloads();
      drop.set_category("c");
      drop.mutable_drop_percentage()->set_numerator(numerator);
      drop.mutable_drop_percentage()->set_denominator(
          static_cast<envoy::type::v3::FractionalPercent::DenominatorType>(denominator));
    }
    config::ErrorList errors;
    const auto out = config::compileAssignment(proto, config::EndpointNames::kAddressesOnly, config::Context(errors));
    CHECK(out.drop_categories.size() == (drops.empty() ? 0 : drops.size() * 3 - 2));  // "c, c"
    return out.drop_per_million;
  };
  using Percent = envoy::type::v3::FractionalPercent;

  CHECK(dropped({}) == 0);
  CHECK(dropped({{5, Percent::HUNDRED}}) == 50'000);
  CHECK(dropped({{1, Percent::MILLION}}) == 1);
  CHECK(dropped({{50, Percent::HUNDRED}, {5000, Percent::TEN_THOUSAND}}) == 750'000);
  CHECK(dropped({{200, Percent::HUNDRED}}) == 1'000'000);
}

}  // namespace
}  // namespace sluice::server
