#include "source/extensions/clusters/aggregate/factory.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/clusters/aggregate/v3/cluster.pb.h"
#include "source/config/cluster_kind_factory.h"
#include "source/extensions/clusters/aggregate/kind.h"

namespace sluice::extensions::clusters::aggregate {
namespace {

using Proto = ::envoy::extensions::clusters::aggregate::v3::ClusterConfig;

class Factory : public config::ClusterKindFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                         config::FactoryContext context, const config::Context& cluster_at) const override {
    const auto& proto = static_cast<const Proto&>(message);
    std::vector<uint32_t> members;
    std::map<std::string, int> seen;
    for (int i = 0; i < proto.clusters_size(); ++i) {
      const std::string& name = proto.clusters(i);
      const config::Context at = context.at.child("clusters", static_cast<size_t>(i));
      if (name.empty()) at.error("is empty; name a cluster");
      if (name == cluster.name()) at.error("is the cluster itself; name another one");
      const auto [first, is_new] = seen.emplace(name, i);
      if (!is_new) at.error(absl::StrCat("\"", name, "\" is clusters[", first->second, "], too; keep one of them"));
      members.push_back(context.services.cluster_names.idOf(name));
    }
    if (cluster.has_load_assignment()) {
      cluster_at.child("load_assignment")
          .warn("not used: the hosts are those of the clusters that this one stands for");
    }
    return std::make_shared<Kind>(std::move(members));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_kinds.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::aggregate
