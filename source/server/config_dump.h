// What of the configuration is in use, and what became of what the control plane sent: as Envoy's config dump, and as
// the client's side of CSDS. What is private is in both: whoever shows them redacts it. Thread: main.
#pragma once

#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/service/status/v3/csds.pb.h"
#include "source/server/bootstrap.h"
#include "source/server/cluster_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/scope_manager.h"
#include "source/server/secret_manager.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

struct ConfigSources {
  const BootstrapProto& bootstrap;
  const ClusterManager& clusters;
  const ListenerManager& listeners;
  const ScopeManager& scopes;
  const SecretManager& secrets;
  const xds::Subscriptions* subscriptions;  // null: everything is static
};

// In Envoy's order: bootstrap, clusters, configurations by ECDS, endpoints (if they are wanted), listeners, scopes,
// route tables, secrets. A dynamic one that never came has an entry that names it.
envoy::admin::v3::ConfigDump configDump(const ConfigSources& sources, bool include_endpoints);

// One ClientConfig: of this process.
envoy::service::status::v3::ClientStatusResponse clientStatus(const ConfigSources& sources);

}  // namespace sluice::server
