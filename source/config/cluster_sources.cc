#include "source/config/cluster_sources.h"

#include "source/config/config_source.h"

namespace sluice::config {

std::shared_ptr<const route::ClusterSource> compileClusterSource(const ClusterSources::Source& source,
                                                                 const Context& context, Services& services) {
  using Kind = ResourceSource::Kind;
  const auto compiled = compileConfigSource(source, context);
  if (!compiled) return nullptr;
  if (compiled->kind == Kind::kSelf) {
    context.child("self").error("is not supported here; write ads, or an api_config_source with DELTA_GRPC");
    return nullptr;
  }
  if (compiled->kind == Kind::kFile || compiled->kind == Kind::kRest ||
      (compiled->kind == Kind::kGrpc && !compiled->grpc.delta)) {
    context.error("is not incremental, and clusters come on demand so only; write ads, or DELTA_GRPC");
    return nullptr;
  }
  if (services.cluster_sources == nullptr) return std::make_shared<const route::ClusterSource>();
  return services.cluster_sources->clusterSource(source, context);
}

}  // namespace sluice::config
