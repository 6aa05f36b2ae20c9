#include "source/extensions/clusters/aggregate/factory.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "envoy/extensions/clusters/aggregate/v3/cluster.pb.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/test_world.h"

namespace sluice::extensions::clusters::aggregate {
namespace {

using Proto = ::envoy::extensions::clusters::aggregate::v3::ClusterConfig;

struct Compiled {
  std::vector<std::string> members;
  std::string problems;
};

Compiled compile(const std::string& json) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  const auto* factory = world.registry.cluster_kinds.find(Proto::descriptor()->full_name());
  config::ClusterTypeFactory::Cluster cluster;
  cluster.set_name("self");
  const route::ClusterNames::Recording recording(world.cluster_names);
  const auto kind = factory->compile(config::testing::fromJson<Proto>(json), cluster, world.context(), world.at);
  Compiled out;
  for (const uint32_t id : kind->members()) out.members.emplace_back(world.cluster_names.nameOf(id));
  out.problems = world.problems();
  CHECK(kind->policy() != nullptr);
  return out;
}

TEST_CASE("it stands for the clusters that it names, in their order") {
  const Compiled out = compile("{clusters: ['primary', 'secondary']}");

  CHECK(out.problems == "");
  CHECK(out.members == std::vector<std::string>{"primary", "secondary"});
}

TEST_CASE("it names each cluster once, and not itself") {
  CHECK(compile("{clusters: ['a', 'self']}").problems == "clusters[1]: is the cluster itself; name another one");
  CHECK(compile("{clusters: ['a', 'b', 'a']}").problems == "clusters[2]: \"a\" is clusters[0], too; keep one of them");
  CHECK(compile("{clusters: ['']}").problems == "clusters[0]: is empty; name a cluster");
}

}  // namespace
}  // namespace sluice::extensions::clusters::aggregate
