// A bootstrap, compiled to be asked what it would do. Opens nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/config/errors.h"
#include "source/explain/configuration.h"
#include "source/server/bootstrap.h"

namespace sluice::ctl {

class FileConfiguration final : public explain::Configuration {
 public:
  // As `sluice --mode validate` does; null after reporting. `registry` outlives it.
  static std::unique_ptr<FileConfiguration> load(const std::string& path, const config::Registry& registry,
                                                 config::ErrorList& errors);
  // The same with all that the options say of it.
  static std::unique_ptr<FileConfiguration> load(const server::Options& options, const config::Registry& registry,
                                                 config::ErrorList& errors);

  std::vector<explain::Listener> listeners() const override;
  std::shared_ptr<const route::Table> tableOf(const route::TableSlot& slot) const override;
  bool knowsAllRoutes() const override { return false; }
  std::optional<envoy::config::route::v3::RouteConfiguration> routesByName(const std::string&) const override {
    return std::nullopt;
  }
  std::shared_ptr<const route::ScopeIndex> scopesOf(const route::ScopesSlot&) const override { return nullptr; }
  std::optional<explain::Cluster> cluster(const std::string& name) const override;
  const config::Registry& registry() const override { return registry_; }
  const config::Positions* positions() const override { return &positions_; }

 private:
  explicit FileConfiguration(const config::Registry& registry);

  const config::Registry& registry_;
  config::Positions positions_;
  envoy::config::bootstrap::v3::Bootstrap bootstrap_;
  observability::StatsRegistry stats_;
  route::ClusterNames cluster_names_;
  route::FilterSlots filter_slots_;
  explain::KeptRoutes routes_;
  config::Services services_;
  server::CompiledBootstrap compiled_;  // last: goes before what it was compiled with
};

}  // namespace sluice::ctl
