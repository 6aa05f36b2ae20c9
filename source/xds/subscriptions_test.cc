#include "source/xds/subscriptions.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "source/event/simulated_loop.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using testing::bare;
using testing::clusterBody;
using testing::endpointBody;
using testing::FakeTransport;
using testing::RecordingWatcher;
using testing::response;
using Names = std::vector<std::string>;

struct Fixture {
  Fixture() {
    subscriptions.addType(typeInfo(kClusterType), clusters);
    subscriptions.addType(typeInfo(kEndpointType), endpoints);
  }
  Subscriptions::Deps deps() {
    Subscriptions::Deps deps{loop};
    deps.node.set_id("n");
    deps.make_transport = [this](const GrpcSource& source) {
      wires[source.cluster] = std::make_shared<FakeTransport::Record>();
      return std::make_unique<FakeTransport>(wires[source.cluster]);
    };
    deps.load_file = [this](const std::string&) { return toSotwMessage(file); };
    deps.random = [this] { return random; };
    deps.log = [](const std::string&) {};
    return deps;
  }

  event::SimulatedLoop loop;
  RecordingWatcher clusters;
  RecordingWatcher endpoints;
  std::map<std::string, std::shared_ptr<FakeTransport::Record>> wires;
  Response file;
  uint64_t random = 0;
  Subscriptions subscriptions{deps()};
};

GrpcSource grpcTo(const std::string& cluster) {
  GrpcSource source;
  source.cluster = cluster;
  return source;
}

Source own(const std::string& cluster) {
  Source source;
  source.kind = Source::Kind::kGrpc;
  source.grpc = grpcTo(cluster);
  return source;
}

TEST_CASE("names of the aggregated stream share it, and sources of their own have theirs") {
  Fixture f;
  f.subscriptions.startAds(grpcTo("ads"));
  CHECK(f.subscriptions.subscribe(kClusterType, Source{}, "*").ok());
  CHECK(f.subscriptions.subscribe(kEndpointType, Source{}, "a").ok());
  CHECK(f.subscriptions.subscribe(kEndpointType, own("other"), "b").ok());
  CHECK(f.subscriptions.subscribe(kEndpointType, own("other"), "c").ok());
  for (const char* cluster : {"ads", "other"}) f.wires[cluster]->establish();
  f.loop.settle();

  REQUIRE(f.wires.size() == 2);
  CHECK(f.wires["ads"]->next(Variant::kSotw).type_url == kClusterType);
  CHECK(f.wires["ads"]->next(Variant::kSotw).names == Names{"a"});
  CHECK(f.wires["other"]->method == "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints");
  CHECK(f.wires["other"]->next(Variant::kSotw).names == Names{"b", "c"});
}

TEST_CASE("a stream that nobody wants anything of is let go, and comes again") {
  Fixture f;
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("other"), "a").ok());
  const auto first = f.wires["other"];
  f.subscriptions.unsubscribe(kEndpointType, identity(own("other")), "a");
  f.loop.settle();
  CHECK(first.use_count() == 2);  // this one and the map's: the transport is gone

  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("other"), "a").ok());
  CHECK(f.wires["other"] != first);
}

TEST_CASE("a watcher may give up the last name of a stream while that stream tells it something") {
  Fixture f;
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("other"), "a").ok());
  f.wires["other"]->establish();
  f.endpoints.during_update = [&](const Update&) {
    f.subscriptions.unsubscribe(kEndpointType, identity(own("other")), "a");
  };

  f.wires["other"]->events->onMessage(
      wireEncoder(Variant::kSotw).encode(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140))})));
  f.loop.settle();

  CHECK(f.endpoints.updates == 1);
  CHECK(f.subscriptions.verdicts(kEndpointType).empty());
}

TEST_CASE("the same name from two sources is two resources, and each is told with its source") {
  Fixture f;
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("one"), "a").ok());
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("two"), "a").ok());
  for (const char* cluster : {"one", "two"}) f.wires[cluster]->establish();
  f.loop.settle();

  for (const char* cluster : {"one", "two"}) {
    CHECK(f.wires[cluster]->next(Variant::kSotw).names == Names{"a"});
    f.wires[cluster]->events->onMessage(
        wireEncoder(Variant::kSotw).encode(response(kEndpointType, cluster, "n1", {bare(endpointBody("a", 140))})));
    CHECK(f.endpoints.last_source == identity(own(cluster)));
  }
  f.subscriptions.unsubscribe(kEndpointType, identity(own("one")), "a");

  std::vector<std::string> sources;
  f.subscriptions.forEach([&](const Subscriptions::View& view) { sources.push_back(view.source); });
  CHECK(sources == Names{"grpc two"});
}

TEST_CASE("when one stream to a server stands again its siblings try at once, and those wake nobody") {
  Fixture f;
  f.subscriptions.startAds(grpcTo("server"));
  const auto ads = f.wires["server"];
  REQUIRE(f.subscriptions.subscribe(kClusterType, own("server"), "*").ok());
  const auto clusters = f.wires["server"];
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("server"), "a").ok());
  const auto endpoints = f.wires["server"];
  REQUIRE(f.subscriptions.subscribe(kEndpointType, own("elsewhere"), "a").ok());
  const auto elsewhere = f.wires["elsewhere"];
  for (const auto& wire : {ads, clusters, endpoints, elsewhere}) wire->establish();
  f.random = 499;  // the longest first wait
  for (const auto& wire : {clusters, endpoints, elsewhere}) wire->fail();
  f.random = 0;
  ads->fail();
  f.loop.settle();
  REQUIRE(ads->connects == 2);
  REQUIRE(clusters->connects == 1);

  ads->establish();
  CHECK(clusters->connects == 2);
  CHECK(endpoints->connects == 2);
  CHECK(elsewhere->connects == 1);

  f.random = 499;
  endpoints->fail();
  clusters->establish();
  CHECK(endpoints->connects == 2);
  f.loop.advance(499ms);
  CHECK(endpoints->connects == 3);
}

TEST_CASE("each source has its own time to wait for a name on the shared stream") {
  Fixture f;
  f.subscriptions.startAds(grpcTo("ads"));
  Source patient;
  patient.initial_fetch_timeout = 0ms;
  Source hasty;
  hasty.initial_fetch_timeout = 2s;
  REQUIRE(f.subscriptions.subscribe(kEndpointType, patient, "patient").ok());
  REQUIRE(f.subscriptions.subscribe(kEndpointType, hasty, "hasty").ok());

  f.loop.advance(60s);

  CHECK(f.endpoints.timed_out == Names{"hasty"});
}

TEST_CASE("each source has its own time to wait for a name of a file that they share") {
  Fixture f;
  f.file = response(kEndpointType, "v1", "", {bare(endpointBody("other", 140))});
  Source patient;
  patient.kind = Source::Kind::kFile;
  patient.path = std::filesystem::temp_directory_path() / "endpoints.pb";
  patient.initial_fetch_timeout = 0ms;
  Source hasty = patient;
  hasty.initial_fetch_timeout = 2s;
  REQUIRE(f.subscriptions.subscribe(kEndpointType, patient, "patient").ok());
  REQUIRE(f.subscriptions.subscribe(kEndpointType, hasty, "hasty").ok());

  f.loop.advance(60s);

  CHECK(f.endpoints.timed_out == Names{"hasty"});
}

TEST_CASE("a file is read after the turn in which it was asked for, never inside subscribe") {
  Fixture f;
  f.file = response(kClusterType, "v1", "", {bare(clusterBody("a", "x"))});
  Source source;
  source.kind = Source::Kind::kFile;
  source.path = std::filesystem::temp_directory_path() / "clusters.pb";
  REQUIRE(f.subscriptions.subscribe(kClusterType, source, "*").ok());
  CHECK(f.clusters.updates == 0);

  f.loop.settle();

  CHECK(f.clusters.held.contains("a"));
  CHECK(f.subscriptions.verdicts(kClusterType).size() == 1);
}

TEST_CASE("a server that is polled is asked for all names of a type together, and each type by itself") {
  event::SimulatedLoop loop;
  RecordingWatcher endpoints;
  Subscriptions::Deps deps{loop};
  std::vector<RestRequest> asked;
  deps.ask = [&](RestRequest request, auto) {
    asked.push_back(std::move(request));
    return std::make_shared<int>(0);
  };
  deps.random = [] { return uint64_t{0}; };
  Subscriptions subscriptions(std::move(deps));
  subscriptions.addType(typeInfo(kEndpointType), endpoints);
  subscriptions.addType(typeInfo(kVirtualHostType), endpoints);
  Source source;
  source.kind = Source::Kind::kRest;
  source.rest = {.cluster = "server", .refresh_delay = 1s};

  REQUIRE(subscriptions.subscribe(kEndpointType, source, "a").ok());
  REQUIRE(subscriptions.subscribe(kEndpointType, source, "b").ok());
  CHECK(subscriptions.subscribe(kVirtualHostType, source, "c").message().find("REST does not serve") !=
        std::string::npos);
  loop.settle();

  REQUIRE(asked.size() == 1);
  CHECK(asked[0].path == "/v3/discovery:endpoints");
  CHECK(asked[0].body.find("[\"a\",\"b\"]") != std::string::npos);
  subscriptions.forEach([](const Subscriptions::View& view) {
    CHECK(view.source == "rest server");
    CHECK(view.stream != nullptr);
  });
}

TEST_CASE("a source that cannot be is an error that says what to do") {
  Fixture f;
  CHECK(f.subscriptions.subscribe(kClusterType, Source{}, "*").message() ==
        "ads: the bootstrap has no dynamic_resources.ads_config; add one");
  Source source;
  source.kind = Source::Kind::kFile;
  source.path = "/nonexistent/folder/file.yaml";
  CHECK_FALSE(f.subscriptions.subscribe(kClusterType, source, "*").ok());
}

}  // namespace
}  // namespace sluice::xds
