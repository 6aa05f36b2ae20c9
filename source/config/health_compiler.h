// What clusters say about the health of hosts: active checks and outlier detection, as the structs of upstream/cluster.
//
// Thread: main. `context` stands at the cluster; errors are reported there, and the result is null then.
#pragma once

#include <memory>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/errors.h"
#include "source/config/services.h"
#include "source/upstream/cluster/health_check_config.h"
#include "source/upstream/cluster/outlier_config.h"

namespace sluice::config {

// Without those that have errors; none if the cluster has no checks.
std::vector<std::shared_ptr<const upstream::cluster::HealthCheckConfig>> compileHealthChecks(
    const envoy::config::cluster::v3::Cluster& cluster, const Context& context, const Services& services);

// Null too if it has none.
std::shared_ptr<const upstream::cluster::OutlierConfig> compileOutlierDetection(
    const envoy::config::cluster::v3::Cluster& cluster, const Context& context, const Services& services);

// The file that ejections are written to (Services::outlier_log); null: none, or nothing is opened. `context` stands at
// the bootstrap.
std::shared_ptr<observability::LogFile> openOutlierLog(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                       const Context& context, const Services& services);

}  // namespace sluice::config
