// Where clusters come from that requests want. (proto: OnDemandCds)
#pragma once

#include <memory>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/errors.h"
#include "source/config/services.h"
#include "source/route/cluster_source.h"

namespace sluice::config {

// Asks them. Thread: main.
class ClusterSources {
 public:
  using Source = envoy::config::core::v3::ConfigSource;

  virtual ~ClusterSources() = default;
  // Null after reporting to `context`, which stands at the source. It was compiled without an error before.
  virtual std::shared_ptr<const route::ClusterSource> clusterSource(const Source& source, const Context& context) = 0;
};

// Null after reporting.
std::shared_ptr<const route::ClusterSource> compileClusterSource(const ClusterSources::Source& source,
                                                                 const Context& context, Services& services);

}  // namespace sluice::config
