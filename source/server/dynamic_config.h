// The xDS side of the process: what arrives is checked, compiled and given to the managers; what they need is asked
// for.
//
// A bad resource is refused by name, field path and rule while its neighbours are applied; its last good version serves
// on. A verdict goes out at once; warming happens in the managers.
// Thread: main.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "source/config/bootstrap.h"
#include "source/config/extensions.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/observability/log.h"
#include "source/server/cluster_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/options.h"
#include "source/server/route_manager.h"
#include "source/server/secret_manager.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

class DynamicConfig {
 public:
  struct Deps {
    event::Loop& loop;
    const Options& options;
    config::Services& services;
    ClusterManager& clusters;
    ListenerManager& listeners;
    RouteManager& routes;
    SecretManager& secrets;
    observability::Logger& logger;
    observability::StatsRegistry& stats;
    observability::StatsCells& cells;
    uint64_t seed;
  };

  DynamicConfig(Deps deps, envoy::config::core::v3::Node node, config::DynamicSources sources);
  ~DynamicConfig();

  // Makes the streams. Before, interest is only collected.
  void start();
  // True once clusters and listeners had their first answer, or the time for it is over.
  bool firstAnswersCame() const { return clusters_came_ && listeners_came_; }
  // True once a first answer about listeners was taken: some of it, or that there are none.
  bool listenersAnswered() const { return listeners_answered_; }
  bool started() const { return started_; }
  std::function<void()> on_progress;

  const xds::Subscriptions& subscriptions() const { return subscriptions_; }
  // Copies the subscriptions' counts to the stats.
  void refreshStats();

 private:
  void logWarnings(const std::string& name, const config::ErrorList& errors);
  class Watcher;
  class ClusterWatcher;
  class EndpointWatcher;
  class ListenerWatcher;
  class RouteWatcher;
  class SecretWatcher;

  std::unique_ptr<xds::Transport> makeTransport(const xds::GrpcSource& source);
  void subscribe(std::string_view type, const xds::Source& source, const std::string& name);
  void want(std::string_view type, const envoy::config::core::v3::ConfigSource& source, const std::string& name);
  void countFailures();
  void progress() {
    if (on_progress) on_progress();
  }

  Deps deps_;
  config::DynamicSources sources_;
  std::unique_ptr<ClusterWatcher> cluster_watcher_;
  std::unique_ptr<EndpointWatcher> endpoint_watcher_;
  std::unique_ptr<ListenerWatcher> listener_watcher_;
  std::unique_ptr<RouteWatcher> route_watcher_;
  std::unique_ptr<SecretWatcher> secret_watcher_;
  xds::Subscriptions subscriptions_;
  bool started_ = false;
  std::vector<std::function<void()>> before_start_;
  bool clusters_came_ = false;
  bool listeners_came_ = false;
  bool listeners_answered_ = false;
  // Held while a response with clusters or listeners is being taken.
  std::unique_ptr<xds::AdsClient::Pause> endpoints_paused_, routes_paused_;
  std::map<std::string, std::string> secret_sources_;  // by name
  observability::Counter unknown_filters_;
  std::map<std::pair<std::string, std::string>, uint64_t> failures_;  // by type and source: so many were told
  base::Random random_;
  net::WorkerBuffers buffers_;  // of the main thread, for streams over TLS
};

}  // namespace sluice::server
