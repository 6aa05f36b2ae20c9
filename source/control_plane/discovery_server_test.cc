// The discovery server with clients that are messages: what it knows of each, and what it tells of that.
#include "source/control_plane/discovery_server.h"

#include <catch2/catch.hpp>
#include <deque>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/service/status/v3/csds.pb.h"
#include "source/control_plane/client_status.h"
#include "source/event/simulated_loop.h"
#include "source/xds/resource_type.h"

namespace sluice::control_plane {
namespace {

using Catch::Matchers::Contains;
namespace status = envoy::service::status::v3;

ResourcePtr clusterOf(const std::string& name, const std::string& content) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name(name);
  cluster.set_alt_stat_name(content);
  return makeResource({.type = ResourceType::kCluster, .name = name, .bytes = cluster.SerializeAsString()});
}

struct FixedSource : SnapshotSource {
  absl::StatusOr<SnapshotPtr> snapshotFor(const Node&) override { return snapshot; }
  SnapshotPtr snapshot = std::make_shared<const Snapshot>(std::vector<ResourcePtr>{clusterOf("a", "1")});
};

struct Bed {
  void serve(std::vector<ResourcePtr> resources) {
    source.snapshot = std::make_shared<const Snapshot>(resources);
    server.refresh();
  }
  NodeStatus only() {
    const std::vector<NodeStatus> all = server.status();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  // The clients that it tells of.
  status::ClientStatusResponse ask(const status::ClientStatusRequest& request = {}) {
    const absl::StatusOr<std::string> answer = clientStatus(server, request.SerializeAsString());
    REQUIRE(answer.ok());
    status::ClientStatusResponse out;
    REQUIRE(out.ParseFromString(*answer));
    return out;
  }

  event::SimulatedLoop loop;
  observability::Logger logger{observability::LogLevel::kOff, [](std::string_view) {}};
  FixedSource source;
  DiscoveryServer server{
      source, loop.timers(), logger, [] { return std::chrono::system_clock::time_point(); }, {.identifier = "test"}};
};

// A client of clusters on an aggregated stream.
struct Proxy1 : MessageWriter {
  Proxy1(Bed& bed, const std::string& id, const std::string& agent, bool reports = false) {
    stream = bed.server.open({Variant::kDelta, std::nullopt}, "10.0.0.1:5", *this);
    xds::Request first;
    first.type_url = std::string(xds::kClusterType);
    auto node = std::make_shared<envoy::config::core::v3::Node>();
    node->set_id(id);
    node->set_user_agent_name(agent);
    node->set_user_agent_version("1");
    if (reports) node->add_client_features(std::string(xds::kReportsServing));
    (*node->mutable_metadata()->mutable_fields())["tier"].set_string_value("edge of " + id);
    first.node = node;
    REQUIRE(send(first).ok());
  }
  void write(std::string message) override {
    const auto response = xds::wireEncoder(xds::Variant::kDelta).decodeResponse(message);
    REQUIRE(response.ok());
    nonce = response->nonce;
    identifier = response->control_plane;
    written = true;
  }
  absl::Status send(const xds::Request& request) {
    const absl::Status status = stream->onMessage(xds::wireEncoder(xds::Variant::kDelta).encode(request));
    if (std::exchange(written, false)) stream->onWritten();
    return status;
  }
  void answer(const std::string& error = {}) {
    if (std::exchange(written, false)) stream->onWritten();
    xds::Request request;
    request.type_url = std::string(xds::kClusterType);
    request.response_nonce = nonce;
    if (!error.empty()) request.error = xds::ErrorDetail{.message = error};
    REQUIRE(send(request).ok());
  }
  void report(std::vector<xds::ServingReport::Waiting> waiting = {}) {
    xds::ServingReport report;
    report.taken["envoy.config.cluster.v3.Cluster"] = nonce;
    report.waiting = std::move(waiting);
    report.waiting_count = report.waiting.size();
    REQUIRE(send(xds::requestOf(report)).ok());
  }

  std::string nonce, identifier;
  bool written = false;
  std::unique_ptr<DiscoveryStream> stream;
};

constexpr const char* kRefusal = "envoy.config.cluster.v3.Cluster \"b\": is bad";

TEST_CASE("a proxy that reports serves when it says so after its last answer") {
  Bed bed;
  Proxy1 proxy(bed, "edge-1", "sluice", true);
  CHECK(proxy.identifier == "test takes-serving-reports");
  CHECK(bed.only().state == NodeState::kUnanswered);

  proxy.answer();
  CHECK(bed.only().state == NodeState::kUnanswered);
  proxy.report({{"envoy.config.cluster.v3.Cluster", "a", "first health checks"}});
  CHECK(bed.only().state == NodeState::kWarming);
  REQUIRE(bed.only().waiting.size() == 1);
  CHECK(bed.only().waiting[0].waits_for == "first health checks");
  proxy.report();
  CHECK(bed.only().state == NodeState::kServes);

  bed.serve({clusterOf("a", "2")});
  CHECK(bed.only().state == NodeState::kUnanswered);
  proxy.answer();
  CHECK(bed.only().state == NodeState::kUnanswered);  // the last report was about what was before
  proxy.report();
  CHECK(bed.only().state == NodeState::kServes);
}

TEST_CASE("of another client the ACK is all that is known, and a refusal counts for both") {
  Bed bed;
  const bool ours = GENERATE(true, false);
  Proxy1 proxy(bed, "edge-1", "sluice", ours);  // one of before there were reports, too
  proxy.answer();
  if (ours) proxy.report();
  CHECK(bed.only().state == NodeState::kServes);
  CHECK(bed.only().reports == ours);

  bed.serve({clusterOf("a", "1"), clusterOf("b", "1")});
  proxy.answer(kRefusal);
  if (ours) proxy.report();
  CHECK(bed.only().state == NodeState::kRefuses);
}

TEST_CASE("a report that is none, or comes before anything else, ends the call") {
  Bed bed;
  Proxy1 proxy(bed, "edge-1", "sluice");
  xds::Request broken;
  broken.type_url = std::string(xds::kServingReportType);
  CHECK(proxy.send(broken).code() == absl::StatusCode::kInvalidArgument);

  proxy.stream = bed.server.open({Variant::kDelta, std::nullopt}, "10.0.0.1:6", proxy);
  CHECK(proxy.send(xds::requestOf({})).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("CSDS tells what each client has, refused and was not given yet") {
  Bed bed;
  Proxy1 proxy(bed, "edge-1", "envoy");
  auto answer = bed.ask();
  REQUIRE(answer.config_size() == 1);
  CHECK(answer.config(0).node().id() == "edge-1");
  REQUIRE(answer.config(0).generic_xds_configs_size() == 1);
  CHECK(answer.config(0).generic_xds_configs(0).config_status() == status::STALE);
  CHECK(answer.config(0).generic_xds_configs(0).client_status() == envoy::admin::v3::REQUESTED);
  CHECK_FALSE(answer.config(0).generic_xds_configs(0).has_xds_config());

  proxy.answer();
  bed.serve({clusterOf("a", "1"), clusterOf("b", "1")});
  proxy.answer(kRefusal);

  answer = bed.ask();
  REQUIRE(answer.config(0).generic_xds_configs_size() == 2);
  const auto& a = answer.config(0).generic_xds_configs(0);
  CHECK(a.name() == "a");
  CHECK(a.type_url() == xds::kClusterType);
  CHECK(a.version_info() == clusterOf("a", "1")->version);
  CHECK(a.config_status() == status::SYNCED);
  CHECK(a.client_status() == envoy::admin::v3::ACKED);
  CHECK(a.xds_config().value() == clusterOf("a", "1")->bytes);
  const auto& b = answer.config(0).generic_xds_configs(1);
  CHECK(b.config_status() == status::ERROR);
  CHECK(b.client_status() == envoy::admin::v3::NACKED);
  CHECK(b.error_state().details() == kRefusal);
  CHECK(b.error_state().version_info() == clusterOf("b", "1")->version);
  CHECK(b.version_info().empty());

  status::ClientStatusRequest without;
  without.set_exclude_resource_contents(true);
  CHECK_FALSE(bed.ask(without).config(0).generic_xds_configs(0).has_xds_config());
}

TEST_CASE("CSDS tells of the clients that a matcher means") {
  Bed bed;
  Proxy1 one(bed, "edge-1", "envoy"), two(bed, "edge-2", "envoy");
  CHECK(bed.ask().config_size() == 2);

  status::ClientStatusRequest request;
  auto& matcher = *request.add_node_matchers();
  matcher.mutable_node_id()->set_prefix("edge-");
  auto& metadata = *matcher.add_node_metadatas();
  metadata.add_path()->set_key("tier");
  metadata.mutable_value()->mutable_string_match()->set_suffix("edge-2");
  auto answer = bed.ask(request);
  REQUIRE(answer.config_size() == 1);
  CHECK(answer.config(0).node().id() == "edge-2");

  request.mutable_node_matchers(0)->mutable_node_metadatas(0)->add_path()->set_key("deeper");
  CHECK(bed.ask(request).config_size() == 0);
  request.add_node_matchers()->mutable_node_id()->set_exact("edge-1");
  CHECK(bed.ask(request).config_size() == 1);
}

TEST_CASE("CSDS refuses what it cannot read, what is no good, and an answer without a bound") {
  Bed bed;
  Proxy1 proxy(bed, "edge-1", "envoy");
  CHECK(clientStatus(bed.server, "\xff\xff").status().code() == absl::StatusCode::kInvalidArgument);

  status::ClientStatusRequest request;
  request.add_node_matchers()->mutable_node_id()->mutable_safe_regex()->set_regex("(");
  auto refused = clientStatus(bed.server, request.SerializeAsString());
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.status().message()), Contains("node_matchers[0].node_id"));
  request.Clear();
  request.add_node_matchers()->add_node_metadatas();
  refused = clientStatus(bed.server, request.SerializeAsString());
  CHECK_THAT(std::string(refused.status().message()), Contains("node_matchers[0].node_metadatas[0]"));

  request.Clear();
  while (request.ByteSizeLong() <= kMaxClientStatusRequestBytes)
    request.add_node_matchers()->mutable_node_id()->set_exact("x");
  refused = clientStatus(bed.server, request.SerializeAsString());
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.status().message()), Contains("it may have 16384"));

  refused = clientStatus(bed.server, "", 100);
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(std::string(refused.status().message()), Contains("node_matchers"));
}

TEST_CASE("CSDS has two methods") {
  constexpr const char* kService = "/envoy.service.status.v3.ClientStatusDiscoveryService/";
  Bed bed;
  struct : MessageWriter {
    void write(std::string message) override { answers.push_back(std::move(message)); }
    std::vector<std::string> answers;
  } writer;
  const auto open = [&](const std::string& method) { return openClientStatus(method, bed.server, writer); };
  const auto stream = open(kService + std::string("StreamClientStatus"));
  CHECK(stream->reads() == ServedStream::Reads::kWhenAnswered);
  CHECK(open(kService + std::string("FetchClientStatus"))->reads() == ServedStream::Reads::kOnce);
  CHECK(open(kService + std::string("X")) == nullptr);
  CHECK(open("/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamX") == nullptr);

  CHECK(stream->onMessage("").ok());
  CHECK(writer.answers.size() == 1);
  CHECK(stream->onMessage("\xff\xff").code() == absl::StatusCode::kInvalidArgument);
  CHECK(writer.answers.size() == 1);
}

}  // namespace
}  // namespace sluice::control_plane
