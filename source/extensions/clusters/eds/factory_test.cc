#include "source/extensions/clusters/eds/factory.h"

#include <catch2/catch.hpp>

#include "source/config/cluster_kind_factory.h"
#include "source/config/test_world.h"
#include "source/event/simulated_loop.h"
#include "source/extensions/clusters/eds/source.h"
#include "source/net/dns.h"

namespace sluice::extensions::clusters::eds {
namespace {

using namespace std::chrono_literals;
using upstream::cluster::Assignment;
using upstream::cluster::AssignmentPtr;
using upstream::cluster::HostSource;
using Cluster = config::ClusterTypeFactory::Cluster;

struct EdsTest : config::testing::TestWorld {
  EdsTest() { registerFactory(registry); }
  std::shared_ptr<const upstream::cluster::ClusterKind> compile(const std::string& fields) {
    Cluster cluster;
    REQUIRE(load("{name: c, type: EDS, " + fields + "}", cluster));
    return registry.cluster_types.at(Cluster::EDS)->compile(cluster, context());
  }
};

TEST_CASE("endpoints are asked for by the service's name, or by the cluster's") {
  EdsTest t;

  CHECK(t.compile("eds_cluster_config: {eds_config: {ads: {}}}")->serviceName() == "c");
  CHECK(t.compile("eds_cluster_config: {eds_config: {ads: {}}, service_name: s}")->serviceName() == "s");
  CHECK(t.compile("eds_cluster_config: {eds_config: {ads: {}}}")->subscribes());
  CHECK(t.problems() == "");
}

TEST_CASE("without eds_config nobody knows where endpoints come from") {
  EdsTest t;

  t.compile("eds_cluster_config: {service_name: s}");

  CHECK_THAT(t.problems(), Catch::Contains("eds_cluster_config: a cluster of type EDS needs eds_config"));
}

TEST_CASE("endpoints in the cluster itself are not used, which is a warning") {
  EdsTest t;

  t.compile("eds_cluster_config: {eds_config: {ads: {}}}, load_assignment: {cluster_name: c}");

  CHECK(t.problems() == "");
  REQUIRE(t.errors.warnings().size() == 1);
  CHECK_THAT(t.errors.warnings()[0].toString(), Catch::Contains("load_assignment: not used"));
}

// Endpoints as the test says.
struct FakeEndpoints : upstream::cluster::Endpoints {
  struct Held : Watch {
    explicit Held(FakeEndpoints& all) : all(all) { ++all.watched; }
    ~Held() override { --all.watched; }
    AssignmentPtr known() const override { return all.assignment; }
    bool givenUp() const override { return all.given_up; }
    FakeEndpoints& all;
  };
  std::unique_ptr<Watch> watch(std::string_view cluster, const std::string&, const std::string& name,
                               Watcher&) override {
    asked = std::string(cluster) + " " + name;
    return std::make_unique<Held>(*this);
  }

  AssignmentPtr assignment;
  bool given_up = false;
  int watched = 0;
  std::string asked;
};

struct SourceTest : HostSource::Receiver {
  void onEndpoints(AssignmentPtr) override { heard += "endpoints "; }
  void onNoEndpoints(std::string_view why) override { heard += "none: " + std::string(why) + " "; }

  struct NoNames : net::DnsResolver {
    std::unique_ptr<net::DnsQuery> resolve(std::string_view, net::DnsLookupFamily, OnResult) override {
      return nullptr;
    }
  };
  event::SimulatedLoop loop;
  NoNames resolver;
  FakeEndpoints endpoints;
  std::string heard;
  const Kind kind{Settings{"c", "", "s", 5s}};
  std::unique_ptr<HostSource> source = kind.makeSource({loop, resolver, endpoints}, {"c"}, *this);
};

TEST_CASE("endpoints that are known already serve at once") {
  SourceTest t;
  t.endpoints.assignment = std::make_shared<const Assignment>();

  t.source->start();

  CHECK(t.heard == "endpoints ");
  CHECK(t.endpoints.asked == "c s");
}

TEST_CASE("endpoints that were given up are not waited for, others are for as long as is set") {
  SourceTest t;
  SECTION("given up") {
    t.endpoints.given_up = true;
    t.source->start();
    CHECK(t.heard == "none: gets no endpoints ");
  }
  SECTION("still to come") {
    t.source->start();
    CHECK(t.heard == "");
    CHECK(t.source->wait().what == "endpoints 's'");
    CHECK(t.source->wait().deadline == 5s);
  }
}

TEST_CASE("a cluster that is suspended watches nothing") {
  SourceTest t;
  t.source->start();
  CHECK(t.endpoints.watched == 1);

  t.source->suspend();
  CHECK(t.endpoints.watched == 0);
  t.source->resume();

  CHECK(t.endpoints.watched == 1);
}

}  // namespace
}  // namespace sluice::extensions::clusters::eds
