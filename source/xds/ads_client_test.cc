#include "source/xds/ads_client.h"

#include <catch2/catch.hpp>

#include "source/event/simulated_loop.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using testing::bare;
using testing::clusterBody;
using testing::endpointBody;
using testing::FakeTransport;
using testing::named;
using testing::RecordingWatcher;
using testing::response;
using Names = std::vector<std::string>;

// A client for clusters (wildcard) and endpoints, with everything around it in the test's hands.
struct Fixture {
  explicit Fixture(AdsClient::Options options = {})
      : variant(options.variant),
        client(withNode(std::move(options)), std::make_unique<FakeTransport>(wire), loop, [this] { return random; }) {
    client.addType({typeInfo(kClusterType)}, clusters);
    client.addType({typeInfo(kEndpointType)}, endpoints);
    client.onLog([this](const std::string& line) { log.push_back(line); });
  }
  static AdsClient::Options withNode(AdsClient::Options options) {
    options.node.set_id("edge-1");
    options.node.set_cluster("edge");
    return options;
  }
  void start() {
    client.subscribe(kClusterType, "*");
    client.start();
    wire->establish();
  }
  void deliver(const Response& r) {
    wire->events->onMessage(wireEncoder(variant).encode(r));
    loop.settle();
  }
  Request next() { return wire->next(variant); }

  const Variant variant;
  std::shared_ptr<FakeTransport::Record> wire = std::make_shared<FakeTransport::Record>();
  event::SimulatedLoop loop;
  uint64_t random = 0;
  RecordingWatcher clusters;
  RecordingWatcher endpoints;
  std::vector<std::string> log;
  AdsClient client;
};

TEST_CASE("the node goes out in the first message of each stream only") {
  Fixture f({.variant = GENERATE(Variant::kSotw, Variant::kDelta)});
  f.start();
  f.client.subscribe(kEndpointType, "a");
  f.loop.settle();
  CHECK(f.next().node->id() == "edge-1");
  CHECK(f.next().node == nullptr);

  f.wire->fail();
  f.loop.advance(1s);
  f.wire->establish();

  CHECK(f.next().node->id() == "edge-1");
  CHECK(f.next().node == nullptr);
}

TEST_CASE("the node goes out in every message when the configuration says so") {
  Fixture f({.variant = GENERATE(Variant::kSotw, Variant::kDelta), .set_node_on_first_message_only = false});
  f.start();
  f.client.subscribe(kEndpointType, "a");
  f.loop.settle();

  CHECK(f.next().node != nullptr);
  CHECK(f.next().node != nullptr);
}

TEST_CASE("the aggregated stream and a type's own stream have their methods") {
  Fixture aggregated({.variant = Variant::kDelta});
  aggregated.client.start();
  CHECK(aggregated.wire->method == "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources");

  Fixture own({.variant = Variant::kSotw, .own_type = std::string(kClusterType)});
  own.client.start();
  CHECK(own.wire->method == "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters");
}

TEST_CASE("a stream of one type needs no type in its responses") {
  Fixture f({.own_type = std::string(kClusterType)});
  f.start();
  Response r = response("", "v1", "n1", {bare(clusterBody("a", "x"))});

  f.deliver(r);

  CHECK(f.clusters.held.size() == 1);
}

TEST_CASE("what a cluster update asks for goes out in one request, after the clusters' ACK") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f({.variant = variant});
    f.start();
    f.next();
    f.clusters.during_update = [&](const Update& update) {
      for (const UpdatedResource& cluster : update.changed) f.client.subscribe(kEndpointType, cluster.name);
    };

    f.deliver(response(kClusterType, "v1", "n1",
                       {named("a", "1", clusterBody("a", "x")), named("b", "1", clusterBody("b", "x"))}));

    const Request ack = f.next();
    CHECK(ack.type_url == kClusterType);
    CHECK(ack.response_nonce == "n1");
    const Request interest = f.next();
    CHECK(interest.type_url == kEndpointType);
    CHECK((variant == Variant::kSotw ? interest.names : interest.subscribe) == Names{"a", "b"});
    CHECK(f.wire->sent.empty());
  }
}

TEST_CASE("ACKs overtake changes of interest that the transport has not taken") {
  Fixture f({.variant = Variant::kDelta});
  f.start();
  f.client.subscribe(kEndpointType, "a");
  f.loop.settle();
  f.next();
  f.next();
  f.wire->blocked = true;
  f.client.subscribe(kEndpointType, "b");  // taken at once, and the transport is busy from now on
  f.loop.settle();
  f.next();

  f.client.subscribe(kClusterType, "c");
  f.deliver(response(kEndpointType, "v1", "n1", {}));
  CHECK(f.wire->sent.empty());
  CHECK(f.client.streamStats().pending_requests == 2);

  f.wire->taken();
  CHECK(f.next().response_nonce == "n1");
  f.wire->taken();
  CHECK(f.next().type_url == kClusterType);
}

TEST_CASE("a paused type does not hold another one's requests") {
  Fixture f({.variant = Variant::kDelta});
  f.start();
  f.next();
  auto pause = f.client.pause(kEndpointType);
  f.client.subscribe(kEndpointType, "a");
  f.client.subscribe(kClusterType, "b");
  f.loop.settle();
  CHECK(f.next().type_url == kClusterType);
  CHECK(f.wire->sent.empty());

  pause.reset();
  f.loop.settle();
  CHECK(f.next().type_url == kEndpointType);
}

TEST_CASE("a response of a type that nobody asked for is dropped without an answer") {
  Fixture f;
  f.start();
  f.next();

  f.deliver(response(kRouteType, "v1", "n1", {}));
  f.deliver(response(kEndpointType, "v1", "n2", {}));

  CHECK(f.wire->sent.empty());
  CHECK(f.client.streamStats().unexpected_types == 2);
  CHECK(f.log.size() == 2);
}

TEST_CASE("a message that is none is counted and dropped") {
  Fixture f;
  f.start();

  f.wire->events->onMessage("\xff\xff");

  CHECK(f.client.streamStats().bad_messages == 1);
}

TEST_CASE("reconnects double their interval to 30 seconds with full jitter") {
  Fixture f;
  f.random = (uint64_t{1} << 40) * 30000 * 500 - 1;  // one less than a multiple of every interval: the longest wait
  f.client.start();
  std::vector<std::chrono::milliseconds> waits;
  for (int i = 0; i < 9; ++i) {
    const int before = f.wire->connects;
    f.wire->fail();
    std::chrono::milliseconds waited{0};
    while (f.wire->connects == before) {
      f.loop.advance(1ms);
      waited += 1ms;
    }
    waits.push_back(waited);
  }
  CHECK(waits[0] == 499ms);
  CHECK(waits[1] == 999ms);
  CHECK(waits[2] <= 1999ms);
  CHECK(waits[6] <= 29999ms);
  CHECK(waits[8] == 29999ms);
}

TEST_CASE("the back-off starts over when a message arrives, not when a connection stands") {
  Fixture f;
  f.random = 499;  // within every interval, so the wait tells nothing; look at the interval by a large draw below
  f.start();
  for (int i = 0; i < 5; ++i) {
    f.wire->fail();
    f.loop.advance(30s);
    f.wire->establish();
  }
  f.random = 15999;
  f.wire->fail();
  int before = f.wire->connects;
  f.loop.advance(15998ms);
  CHECK(f.wire->connects == before);
  f.loop.advance(1ms);
  CHECK(f.wire->connects == before + 1);

  f.wire->establish();
  f.deliver(response(kClusterType, "v1", "n1", {}));
  f.wire->fail();
  before = f.wire->connects;
  f.loop.advance(499ms);
  CHECK(f.wire->connects == before + 1);
}

TEST_CASE("a lost stream keeps what was accepted and the next one asks with it") {
  Fixture f({.variant = Variant::kDelta});
  f.start();
  f.next();
  f.deliver(response(kClusterType, "v1", "n1", {named("a", "1", clusterBody("a", "x"))}));
  f.next();

  f.wire->fail("gone");
  CHECK(f.client.streamStats().last_error.find("gone") != std::string::npos);
  CHECK(f.client.stats(kClusterType).update_failure == 1);
  CHECK(f.client.stats(kClusterType).resources == 1);
  CHECK_FALSE(f.client.streamStats().connected);
  f.loop.advance(1s);
  f.wire->establish();

  CHECK(f.next().initial_versions == std::map<std::string, std::string>{{"a", "1"}});
  CHECK(f.clusters.last_removed.empty());
}

TEST_CASE("a new stream asks for types in the order in which they were added") {
  Fixture f;
  f.client.subscribe(kEndpointType, "e");
  f.client.subscribe(kClusterType, "*");
  f.client.start();

  f.wire->establish();

  CHECK(f.next().type_url == kClusterType);
  CHECK(f.next().type_url == kEndpointType);
}

TEST_CASE("the loop runs between the parts of a large response, and what follows waits for its end") {
  Fixture f;
  f.start();
  f.client.subscribe(kEndpointType, "a");
  f.loop.settle();
  while (!f.wire->sent.empty()) f.next();
  int turns = 0;
  bool turned = true;
  f.clusters.during_update = [&](const Update&) {
    CHECK(turned);
    turned = false;
    f.loop.post([&] {
      turned = true;
      ++turns;
    });
  };
  f.endpoints.during_update = [&](const Update&) { CHECK(f.clusters.held.size() == 1000); };
  std::vector<Resource> resources;
  for (int i = 0; i < 1000; ++i) resources.push_back(bare(clusterBody("c" + std::to_string(i), "1")));
  f.wire->events->onMessage(wireEncoder(f.variant).encode(response(kClusterType, "v1", "n1", resources)));
  f.wire->events->onMessage(
      wireEncoder(f.variant).encode(response(kEndpointType, "v1", "n2", {bare(endpointBody("a", 140))})));
  CHECK(f.wire->sent.empty());
  f.loop.settle();

  CHECK(turns >= 15);
  CHECK(f.endpoints.updates == 1);
  CHECK(f.next().response_nonce == "n1");
  CHECK(f.next().response_nonce == "n2");
}

TEST_CASE("a server that answers each NACK with the same is asked less and less often") {
  Fixture f;
  f.clusters.refuse = {"a"};
  f.start();
  f.next();
  int nacks = 0;
  const TimePoint end = f.loop.now() + 60s;
  for (int i = 0; i < 100'000 && f.loop.now() < end; ++i) {
    f.deliver(response(kClusterType, "v1", "n" + std::to_string(i), {bare(clusterBody("a", "1"))}));
    while (f.wire->sent.empty() && f.loop.now() < end) f.loop.advance(100ms);
    for (; !f.wire->sent.empty(); ++nacks) CHECK(f.next().error);
  }
  CHECK(nacks >= 5);
  CHECK(nacks <= 8);
}

TEST_CASE("a fetch timeout fires by the loop's clock without a server") {
  Fixture f;
  f.client.subscribe(kClusterType, "*");
  f.client.start();
  f.wire->fail();

  f.loop.advance(14999ms);
  CHECK(f.clusters.timed_out.empty());
  f.loop.advance(1ms);

  CHECK(f.clusters.timed_out == Names{"*"});
}

TEST_CASE("the stats tell versions, attempts and the server's name") {
  Fixture f;
  f.start();
  Response r = response(kClusterType, "v1", "n1", {bare(clusterBody("a", "x"))});
  r.control_plane = "cp-7";

  f.deliver(r);

  const SubscriptionStats stats = f.client.stats(kClusterType);
  CHECK(stats.version_text == "v1");
  CHECK(stats.update_success == 1);
  CHECK(stats.config_reload == 1);
  CHECK(stats.update_attempt == 2);
  CHECK(f.client.streamStats().identifier == "cp-7");
  CHECK(f.client.streamStats().connected);
}

TEST_CASE("what waits is told to a server that takes reports, once, and to no other") {
  Fixture f({.variant = GENERATE(Variant::kSotw, Variant::kDelta)});
  int taken = 0;
  f.client.onTaken([&] { ++taken; });
  const std::string type(typeName(kClusterType));
  const std::vector<ServingReport::Waiting> waiting = {{type, "a", "its endpoints"}, {type, "of a file", "hosts"}};
  const auto answer = [&](const std::string& nonce, const std::string& identifier) {
    const auto body = clusterBody("a", "x");
    Response r = response(kClusterType, "v", nonce, {f.variant == Variant::kSotw ? bare(body) : named("a", "1", body)});
    r.control_plane = identifier;
    f.wire->sent.clear();
    f.deliver(r);
    CHECK(f.next().response_nonce == nonce);
  };
  f.start();

  answer("n1", "another");
  f.client.report(waiting);
  CHECK(f.wire->sent.empty());
  CHECK(taken == 0);

  answer("n2", "ours" + std::string(kTakesReports));
  CHECK(taken == 1);
  f.client.report(waiting);
  const auto told = reportOf(f.next());
  REQUIRE(told.has_value());
  CHECK(told->taken == std::map<std::string, std::string>{{type, "n2"}});
  CHECK(told->waiting == std::vector<ServingReport::Waiting>{waiting[0]});
  f.client.report(waiting);
  CHECK(f.wire->sent.empty());
  f.client.report({});
  CHECK(reportOf(f.next())->waiting_count == 0);

  f.wire->fail();
  f.loop.advance(1s);
  f.wire->establish();
  f.wire->sent.clear();
  f.client.report(waiting);
  CHECK(f.wire->sent.empty());
}

}  // namespace
}  // namespace sluice::xds
