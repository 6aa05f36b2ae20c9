#include "source/xds/rest_subscription.h"

#include <catch2/catch.hpp>
#include <optional>

#include "google/protobuf/util/json_util.h"
#include "source/event/simulated_loop.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using testing::bare;
using testing::clusterBody;
using testing::endpointBody;
using testing::RecordingWatcher;
using testing::response;
using Names = std::vector<std::string>;
using Held = std::map<std::string, std::string>;

// A server that is asked; the test gives its answers, whose body is what parsing it shall come to.
struct Fixture {
  explicit Fixture(std::string_view type = kClusterType, std::shared_ptr<const StoredType> stored = nullptr)
      : subscription(
            options(type, std::move(stored)),
            [this](RestRequest request, auto on_answer) { return ask(request, on_answer); },
            [this](std::string_view) { return parsed; }, watcher, loop, [this] { return random; },
            [this](const std::string& line) { log.push_back(line); }) {}

  static RestSubscription::Options options(std::string_view type, std::shared_ptr<const StoredType> stored) {
    RestSubscription::Options options;
    options.stored = std::move(stored);
    options.type = typeInfo(type);
    options.server = {.cluster = "server", .refresh_delay = 10s, .request_timeout = 2s};
    options.node.set_id("edge-1");
    options.source = "rest";
    return options;
  }
  std::shared_ptr<void> ask(const RestRequest& request, const std::function<void(RestAnswer)>& on_answer) {
    last = request;
    ++asked;
    waiting = on_answer;
    const auto handle = std::make_shared<int>(0);
    under_way = handle;
    return handle;
  }
  DiscoveryRequest request() const {
    DiscoveryRequest message;
    REQUIRE(google::protobuf::util::JsonStringToMessage(last.body, &message).ok());
    return message;
  }
  void answer(RestAnswer answer) {
    REQUIRE(waiting);
    REQUIRE_FALSE(under_way.expired());
    const auto on_answer = std::exchange(waiting, nullptr);
    on_answer(std::move(answer));
    loop.settle();
  }
  void answer(const Response& r) {
    parsed = toSotwMessage(r);
    answer(RestAnswer{.status = 200});
  }
  void start(const Names& names) {
    for (const std::string& name : names) subscription.subscribe(name, 15s);
    loop.settle();
  }
  Verdict verdict(const std::string& name) const {
    for (const Verdict& one : subscription.verdicts()) {
      if (one.name == name) return one;
    }
    FAIL("no verdict for " << name);
    return {};
  }

  event::SimulatedLoop loop;
  RecordingWatcher watcher;
  RestRequest last;
  int asked = 0;
  std::function<void(RestAnswer)> waiting;
  std::weak_ptr<void> under_way;
  absl::StatusOr<DiscoveryResponse> parsed = DiscoveryResponse();
  uint64_t random = 0;
  Names log;
  RestSubscription subscription;
};

TEST_CASE("a server is asked for everything by its path, with the node") {
  Fixture f;
  f.start({"*"});

  CHECK(f.asked == 1);
  CHECK(f.last.cluster == "server");
  CHECK(f.last.path == "/v3/discovery:clusters");
  CHECK(f.last.timeout == 2s);
  CHECK(f.request().node().id() == "edge-1");
  CHECK(f.request().type_url() == kClusterType);
  CHECK(f.request().resource_names().empty());
  CHECK(f.last.body.find("\"type_url\"") != std::string::npos);  // the names of the proto
}

TEST_CASE("the next request goes out after the delay and up to as much again, with what became of the answer") {
  Fixture f;
  f.start({"*"});
  f.random = 4000;
  f.answer(response(kClusterType, "v1", "n1", {bare(clusterBody("a", "x"))}));
  CHECK(f.watcher.held == Held{{"a", "v1"}});
  CHECK(f.watcher.last_source == "rest");
  CHECK(f.subscription.streamStats().connected);

  f.loop.advance(13999ms);
  CHECK(f.asked == 1);
  f.loop.advance(1ms);

  REQUIRE(f.asked == 2);
  CHECK(f.request().version_info() == "v1");
  CHECK(f.request().response_nonce() == "n1");
  CHECK_FALSE(f.request().has_error_detail());
  CHECK(f.request().node().id() == "edge-1");
}

TEST_CASE("what is refused is told with each request until it is taken back, and the good ones serve") {
  Fixture f;
  f.watcher.refuse = {"bad"};
  f.start({"*"});
  for (int i = 1; i < 4; ++i) {
    f.answer(response(kClusterType, "v1", "n1", {bare(clusterBody("good", "x")), bare(clusterBody("bad", "x"))}));
    CHECK(f.verdict("bad").state == VerdictState::kRejected);
    f.loop.advance(10s);
    REQUIRE(f.asked == i + 1);
    CHECK(f.request().version_info().empty());
    CHECK(f.request().error_detail().message().find("\"bad\": connect_timeout") != std::string::npos);
  }
  CHECK(f.watcher.held == Held{{"good", "v1"}});

  f.answer(response(kClusterType, "v2", "n2", {bare(clusterBody("good", "x"))}));
  f.loop.advance(10s);
  CHECK(f.request().version_info() == "v2");
  CHECK_FALSE(f.request().has_error_detail());
}

TEST_CASE("304 changes nothing and is no failure") {
  Fixture f;
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "", {bare(clusterBody("a", "x"))}));
  f.loop.advance(10s);

  f.answer(RestAnswer{.status = 304});

  CHECK(f.watcher.updates == 1);
  CHECK(f.watcher.held.size() == 1);
  CHECK(f.log.empty());
  f.loop.advance(10s);
  CHECK(f.asked == 3);
  CHECK(f.request().version_info() == "v1");
}

TEST_CASE("failures are told once each, change nothing, and the server is asked again") {
  Fixture f;
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "n1", {bare(clusterBody("a", "x"))}));
  const auto next = [&](RestAnswer answer) {
    f.loop.advance(10s);
    f.answer(std::move(answer));
  };

  next({.status = 0, .failure = "connect_failed"});
  next({.status = 0, .failure = "connect_failed"});
  CHECK(f.log ==
        Names{"polling cluster 'server' for envoy.config.cluster.v3.Cluster failed: no answer: connect_failed; "
              "what was accepted goes on serving"});
  CHECK_FALSE(f.subscription.streamStats().connected);
  next({.status = 500});
  CHECK(f.log.back().find("the answer has status 500") != std::string::npos);
  f.parsed = absl::InvalidArgumentError("resources[3].name: is no text");
  next({.status = 200});
  CHECK(f.log.back().find("resources[3].name: is no text") != std::string::npos);

  CHECK(f.watcher.held == Held{{"a", "v1"}});
  CHECK(f.subscription.stats().update_failure == 4);
  f.loop.advance(10s);
  CHECK(f.request().version_info() == "v1");
  CHECK(f.request().response_nonce().empty());
  CHECK(f.request().error_detail().message() == "resources[3].name: is no text");
  f.answer(response(kClusterType, "v2", "n2", {}));
  CHECK(f.watcher.held.empty());
  CHECK(f.subscription.streamStats().connected);
}

TEST_CASE("an answer of another type is a failure") {
  Fixture f;
  f.start({"*"});

  f.answer(response(kEndpointType, "v1", "n1", {}));

  CHECK(f.watcher.updates == 0);
  CHECK(f.log.back().find("was asked for") != std::string::npos);
}

TEST_CASE("who wants another name gives up the request that is under way, and asks at the end of the turn") {
  Fixture f(kEndpointType);
  f.start({"a"});
  const auto first = f.under_way;

  f.start({"b", "c"});

  CHECK(first.expired());
  CHECK(f.asked == 2);
  CHECK(f.request().resource_names_size() == 3);
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140)), bare(endpointBody("b", 140))}));
  CHECK(f.watcher.held.size() == 2);
  CHECK(f.watcher.wait_absent.empty());
}

TEST_CASE("a name that is given up and wanted again is asked for with the next request") {
  Fixture f(kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("b", 140))}));
  f.subscription.unsubscribe("a");
  f.subscription.subscribe("a", 15s);
  f.loop.settle();

  CHECK(f.request().resource_names_size() == 2);
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("b", 140))}));
  f.loop.advance(10s);
  CHECK(f.request().resource_names_size() == 2);
}

TEST_CASE("a name that nothing came for is waited for no longer than its time, and nobody is asked for nothing") {
  Fixture f(kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("b", 140))}));
  f.loop.advance(10s);
  f.answer(RestAnswer{.status = 304});
  f.loop.advance(5s);
  CHECK(f.watcher.timed_out == Names{"a"});

  f.subscription.unsubscribe("a");
  f.subscription.unsubscribe("b");
  f.loop.advance(60s);

  CHECK(f.asked == 2);
}

TEST_CASE("who wants another name while much of an earlier process is taken has it asked for behind that, at once") {
  auto stored = std::make_shared<StoredType>();
  for (int i = 0; i < 200; ++i) {
    const std::string name = "c" + std::to_string(i);
    stored->resources.push_back({name, "old", clusterBody(name, "x")});
  }
  Fixture f(kClusterType, stored);
  bool wanted = false;
  f.watcher.during_update = [&](const Update& update) {
    if (update.more && !std::exchange(wanted, true)) f.subscription.subscribe("more", 15s);
  };
  f.start({"*"});
  CHECK(f.asked == 1);

  f.loop.advance(SubscriptionMachine::kPatience);

  CHECK(f.watcher.held.size() == 200);
  CHECK(f.asked == 2);
  CHECK(f.request().resource_names_size() == 2);  // and all
}

TEST_CASE("a large answer is taken in parts, and the next request waits for the last of them") {
  Fixture f;
  f.start({"*"});
  std::vector<Resource> resources;
  for (int i = 0; i < 200; ++i) resources.push_back(bare(clusterBody("c" + std::to_string(i), "x")));
  bool wanted = false;
  f.watcher.during_update = [&](const Update& update) {
    if (update.more && !std::exchange(wanted, true)) f.subscription.subscribe("more", 15s);
  };

  f.answer(response(kClusterType, "v1", "n1", std::move(resources)));

  CHECK(f.watcher.held.size() == 200);
  CHECK(f.watcher.updates == 4);
  CHECK(f.asked == 2);
  CHECK(f.request().version_info() == "v1");
  CHECK(f.request().resource_names_size() == 2);  // and all
}

}  // namespace
}  // namespace sluice::xds
