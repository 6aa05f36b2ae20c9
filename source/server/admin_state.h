// What the admin pages show of the process. Thread: main.
#pragma once

#include <functional>

#include "source/admin/admin.h"
#include "source/server/bootstrap.h"
#include "source/server/cluster_manager.h"
#include "source/server/config_dump.h"
#include "source/server/listener_manager.h"
#include "source/server/options.h"
#include "source/server/route_manager.h"
#include "source/server/scope_manager.h"
#include "source/server/secret_manager.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

class AdminPages : public admin::AdminState {
 public:
  enum class Phase : uint8_t { kInitializing, kLive, kDraining };

  struct Deps {
    const config::Registry& registry;
    const Options& options;
    const BootstrapProto& bootstrap;
    const ClusterManager& clusters;
    const ListenerManager& listeners;
    const SecretManager& secrets;
    const RouteManager& routes;
    const ScopeManager& scopes;
    const xds::Subscriptions* subscriptions;  // null: everything is static
    observability::StatsRegistry& stats;
    observability::Logger& logger;
    uint32_t concurrency;
    std::function<void()> quit;
    std::function<void(const admin::DrainRequest&)> drain_listeners;
    std::function<void(bool failed)> set_health_check_failed;
    std::function<std::string()> waits_for = {};  // empty text: nothing
    std::function<size_t(const cache::Purge&)> purge_caches = {};
    std::function<std::vector<jwt::RemoteKeys::Health>()> key_sets = {};
  };

  explicit AdminPages(Deps deps) : deps_(std::move(deps)), started_(std::chrono::steady_clock::now()) {}

  void setPhase(Phase phase) { phase_ = phase; }

  envoy::admin::v3::ServerInfo serverInfo() const override;
  envoy::admin::v3::Clusters clusters() const override;
  std::string healthReason(const std::string& cluster, size_t host) const override;
  envoy::admin::v3::Listeners listeners() const override;
  envoy::admin::v3::ConfigDump configDump(bool include_endpoints) const override;
  envoy::service::status::v3::ClientStatusResponse clientStatus() const override;
  envoy::admin::v3::Certificates certificates() const override;
  const observability::StatsRegistry& stats() const override { return deps_.stats; }
  observability::Logger& logger() override { return deps_.logger; }
  void quit() override { deps_.quit(); }
  void drainListeners(const admin::DrainRequest& request) override { deps_.drain_listeners(request); }
  void setHealthCheckFailed(bool failed) override {
    health_failed_ = failed;
    deps_.set_health_check_failed(failed);
  }
  std::vector<jwt::RemoteKeys::Health> keySets() const override { return deps_.key_sets(); }
  std::vector<admin::ResourceVerdict> verdicts() const override;
  admin::Response explain(const std::vector<std::pair<std::string, std::string>>& parameters) const override;
  size_t purgeCaches(const cache::Purge& purge) override { return deps_.purge_caches(purge); }
  std::string notReadyReason() const override { return deps_.waits_for ? deps_.waits_for() : std::string(); }

 private:
  ConfigSources sources() const;

  Deps deps_;
  std::chrono::steady_clock::time_point started_;
  Phase phase_ = Phase::kInitializing;
  bool health_failed_ = false;
};

}  // namespace sluice::server
