// The xDS types that this proxy serves, as rows of DynamicConfig's table: clusters, secrets, endpoints, configurations
// of filters, listeners and route tables, and what the managers ask for of them. Thread: main.
#pragma once

#include "source/config/bootstrap.h"
#include "source/config/services.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/cluster_manager.h"
#include "source/server/cluster_waits.h"
#include "source/server/dynamic_config.h"
#include "source/server/extension_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/on_demand_clusters.h"
#include "source/server/route_manager.h"
#include "source/server/scope_manager.h"
#include "source/server/secret_manager.h"

namespace sluice::server {

// All of it outlives the DynamicConfig.
struct CoreTypes {
  config::Services& services;
  ClusterManager& clusters;
  ClusterWaits& cluster_waits;
  ListenerManager& listeners;
  RouteManager& routes;
  ScopeManager& scopes;
  SecretManager& secrets;
  ExtensionManager& extensions;
  OnDemandClusters& on_demand;
  observability::Logger& logger;
  observability::StatsRegistry& stats;
  observability::StatsCells& cells;
};

// Adds the rows, and has the managers ask `dynamic` for what they need.
void addCoreTypes(const CoreTypes& core, const config::DynamicSources& sources, DynamicConfig& dynamic);

}  // namespace sluice::server
