// The example of every extension compiles.
#include <filesystem>
#include <string>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/access_log_factory.h"
#include "source/config/access_log_filter_factory.h"
#include "source/config/cluster_compiler.h"
#include "source/config/compression_factory.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/network_filter_factory.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/config/retry_predicate_factory.h"
#include "source/config/terminal_factory.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/udp_filter_factory.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/test_all.h"

namespace sluice::extensions {
namespace {

using config::testing::TestWorld;
using google::protobuf::Message;

struct Result {
  size_t kinds = 0;  // how many know its type
  std::string problems;
};

// What a transport socket may do at one side of the proxy only is fine on that side.
Result compileTransport(TestWorld& world, const Message& message) {
  const auto* factory = world.registry.transport_sockets.find(message.GetDescriptor()->full_name());
  if (factory == nullptr) return {};
  factory->compileUpstream(message, world.context());
  if (world.problems().empty()) return {1, ""};
  TestWorld other;
  factory->compileDownstream(message, other.context());
  return {1, other.problems().empty() ? "" : world.problems()};
}

// Compiles a message as every kind that takes its type.
Result compileAny(TestWorld& world, const Message& message) {
  Result result = compileTransport(world, message);
  if (result.kinds > 0) return result;
  const auto as = [&](const auto& table) {
    const auto* factory = table.find(message.GetDescriptor()->full_name());
    if (factory == nullptr) return;
    ++result.kinds;
    factory->compile(message, world.context());
  };
  const config::Registry& all = world.registry;
  as(all.http_filters);
  as(all.terminals);
  as(all.network_filters);
  as(all.connection_filters);
  as(all.listener_filters);
  as(all.udp_filters);
  as(all.access_logs);
  as(all.access_log_filters);
  as(all.retry_host_predicates);
  as(all.retry_priorities);
  as(all.redirect_predicates);
  as(all.compressors);
  as(all.decompressors);
  as(all.geoip_providers);
  as(all.lb_policies);
  as(all.match_inputs);
  as(all.value_matchers);
  result.problems = world.problems();
  return result;
}

// The example of a kind of cluster is a cluster.
Result compileCluster(TestWorld& world, const std::string& path) {
  envoy::config::cluster::v3::Cluster cluster;
  if (world.loadFile(path, cluster)) config::compileCluster(cluster, world.at, world.services);
  return {1, world.problems()};
}

// Each of the others is an entry with a name and a typed_config, whatever list it belongs to.
Result compileExample(const std::string& path) {
  World world;
  if (path.find("/clusters/") != std::string::npos) return compileCluster(world, path);
  envoy::config::core::v3::TransportSocket entry;
  if (!world.loadFile(path, entry)) return {0, world.problems()};
  const std::unique_ptr<Message> message = config::unpackAny(entry.typed_config(), world.at.child("typed_config"));
  return message ? compileAny(world, *message) : Result{0, world.problems()};
}

TEST_CASE("every extension's example compiles, as one kind of extension") {
  size_t examples = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("source/extensions")) {
    if (entry.path().filename() != "example.yaml") continue;
    CAPTURE(entry.path().string());
    ++examples;
    const Result result = compileExample(entry.path().string());
    CHECK(result.problems == "");
    CHECK(result.kinds == 1);
  }
  CHECK(examples > 0);
}

}  // namespace
}  // namespace sluice::extensions
