// The xDS side of the process: a table of resource types, and the subscriptions to their sources.
//
//   DynamicConfig dynamic({...}, node, ads);
//   dynamic.add(type);                                // a row each, before start()
//   dynamic.start();                                  // makes the streams
//   dynamic.want(type.wire.url, config_source, "x");  // at any time
//
// It knows no type itself: core_types.h has the rows of what this proxy serves, and whoever brings another type adds
// one. A verdict goes out at once; what waits (warming) does so elsewhere. Thread: main.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/base/random.h"
#include "source/config/config_source.h"
#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/dynamic_type.h"
#include "source/server/dynamic_watcher.h"
#include "source/server/init_manager.h"
#include "source/server/options.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

class DynamicConfig {
 public:
  struct Deps {
    event::Loop& loop;
    const Options& options;
    observability::Logger& logger;
    observability::StatsRegistry& stats;
    observability::StatsCells& cells;
    std::function<std::unique_ptr<xds::Transport>(const xds::GrpcSource&)> make_transport;
    uint64_t seed;
    InitManager* boot;  // waits for first answers of types with a root; null: nothing does
    // As Subscriptions'.
    std::function<std::shared_ptr<const xds::StoredType>(std::string_view type_url, const std::string& source)> stored =
        {};
    // As Subscriptions': of servers that are polled.
    xds::RestSubscription::Ask ask = {};
    std::function<void()> on_change = {};  // called when something of a control plane was taken, or is gone
    std::function<void()> on_taken = {};   // as Subscriptions'
  };

  // `ads`: of the aggregated stream, if there is one.
  DynamicConfig(Deps deps, envoy::config::core::v3::Node node, std::optional<config::GrpcSource> ads);
  ~DynamicConfig();

  // Before start(), each type once.
  void add(DynamicType type);
  // Makes the streams. Before, interest is only collected.
  void start();

  // Begins and ends the interest in one by name; the type has a row. `source` was checked; `identity` is its.
  void want(std::string_view type_url, const envoy::config::core::v3::ConfigSource& source, const std::string& name);
  void unwant(std::string_view type_url, const std::string& identity, const std::string& name);

  // True once a first answer of the type was taken: some of it, or that there are none. Without such a type, too.
  bool answered(std::string_view type_url) const;
  const xds::Subscriptions& subscriptions() const { return subscriptions_; }
  // As Subscriptions'.
  void report(const std::vector<xds::ServingReport::Waiting>& waiting) { subscriptions_.report(waiting); }
  // Copies the subscriptions' counts to the stats.
  void refreshStats();

 private:
  const DynamicWatcher* find(std::string_view type_url) const;
  void subscribe(std::string_view type_url, const xds::Source& source, const std::string& name);
  void countFailures();

  Deps deps_;
  const std::optional<config::GrpcSource> ads_;
  base::Random random_;
  std::vector<std::unique_ptr<DynamicWatcher>> watchers_;
  xds::Subscriptions subscriptions_;
  bool started_ = false;
  std::vector<std::function<void()>> before_start_;
  std::map<std::pair<std::string, std::string>, uint64_t> failures_;  // by type and source: so many were told
};

}  // namespace sluice::server
