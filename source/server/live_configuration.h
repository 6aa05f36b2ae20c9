// What this process serves with, to be asked what becomes of a request. Thread: main.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/explain/configuration.h"
#include "source/server/bootstrap.h"
#include "source/server/cluster_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/route_manager.h"
#include "source/server/scope_manager.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

// Made for one question: what it gives out changes with the configuration.
class LiveConfiguration final : public explain::Configuration {
 public:
  struct Deps {
    const config::Registry& registry;
    const BootstrapProto& bootstrap;
    const ClusterManager& clusters;
    const ListenerManager& listeners;
    const RouteManager& routes;
    const ScopeManager& scopes;
    const xds::Subscriptions* subscriptions;  // null: everything is static
  };

  explicit LiveConfiguration(Deps deps) : deps_(deps) {}

  std::vector<explain::Listener> listeners() const override;
  std::shared_ptr<const route::Table> tableOf(const route::TableSlot& slot) const override {
    return deps_.routes.servingIn(slot);
  }
  bool knowsAllRoutes() const override { return true; }
  std::optional<envoy::config::route::v3::RouteConfiguration> routesByName(const std::string& name) const override;
  std::shared_ptr<const route::ScopeIndex> scopesOf(const route::ScopesSlot& slot) const override {
    return deps_.scopes.servingIn(slot);
  }
  std::optional<explain::Cluster> cluster(const std::string& name) const override;
  const config::Registry& registry() const override { return deps_.registry; }
  const config::Positions* positions() const override { return nullptr; }

 private:
  template <typename Protos>
  std::string pathOf(const Protos& protos, const char* field, const std::string& name) const;

  const Deps deps_;
};

}  // namespace sluice::server
