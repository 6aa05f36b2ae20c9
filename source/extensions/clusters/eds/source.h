// EDS: the endpoints come by a subscription, under a name.
//
// Those that are known already serve at once, for no further answer may ever come for them. Thread: main.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "source/upstream/cluster/host_source.h"

namespace sluice::extensions::clusters::eds {

// (proto: Cluster.EdsClusterConfig)
struct Settings {
  std::string cluster;                                     // its name
  std::string source;                                      // Endpoints::watch()
  std::string service_name;                                // the name to subscribe to
  std::chrono::milliseconds initial_fetch_timeout{15000};  // 0: wait for ever
};

class Source final : public upstream::cluster::HostSource, private upstream::cluster::Endpoints::Watcher {
 public:
  Source(const World& world, const Settings& settings, Receiver& receiver);

  void start() override;
  Wait wait() const override { return {"endpoints '" + settings_.service_name + "'", settings_.initial_fetch_timeout}; }
  void suspend() override { watch_.reset(); }
  void resume() override { watch(); }

 private:
  void onEndpoints(upstream::cluster::AssignmentPtr endpoints) override { receiver_.onEndpoints(std::move(endpoints)); }
  void onNoEndpoints() override { receiver_.onNoEndpoints("gets no endpoints"); }
  void watch();

  upstream::cluster::Endpoints& endpoints_;
  const Settings& settings_;
  Receiver& receiver_;
  std::unique_ptr<upstream::cluster::Endpoints::Watch> watch_;  // null: suspended
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  explicit Kind(Settings settings) : settings_(std::move(settings)) {}

  std::unique_ptr<upstream::cluster::HostSource> makeSource(
      const upstream::cluster::HostSource::World& world, upstream::cluster::HostSource::Owner,
      upstream::cluster::HostSource::Receiver& receiver) const override {
    return std::make_unique<Source>(world, settings_, receiver);
  }
  bool subscribes() const override { return true; }
  std::string_view serviceName() const override { return settings_.service_name; }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::clusters::eds
