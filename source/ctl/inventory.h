// What a configuration file holds, compiled by the proxy's own code, to be compared with another one. Thread: any one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "google/protobuf/message.h"
#include "source/config/listener_compiler.h"
#include "source/config/registry.h"
#include "source/config/services.h"
#include "source/upstream/cluster/cluster_config.h"

namespace sluice::ctl {

class Inventory {
  // What was compiled lets go of its statistics and names when it goes: before these.
  observability::StatsRegistry stats_;
  route::ClusterNames cluster_names_;
  route::FilterSlots filter_slots_;
  config::AnyRoutes route_slots_;
  config::Services services_;

 public:
  struct Listener {
    config::CompiledListener compiled;
    envoy::config::listener::v3::Listener proto;
  };
  struct Cluster {
    std::shared_ptr<const upstream::cluster::ClusterConfig> config;
    envoy::config::cluster::v3::Cluster proto;
  };
  struct Endpoints {
    upstream::cluster::AssignmentPtr assignment;
    envoy::config::endpoint::v3::ClusterLoadAssignment proto;
  };

  explicit Inventory(const config::Registry& registry);

  // A bootstrap, a file of resources as `path_config_source` reads it, or one of sluice-control. Null after adding to
  // `errors`.
  static std::unique_ptr<Inventory> read(const std::string& path, const config::Registry& registry,
                                         config::ErrorList& errors);

  // A resource. False after reporting.
  bool add(const google::protobuf::Message& resource, const config::Context& context);

  std::map<std::string, Listener> listeners;  // by name, or by address without one
  std::map<std::string, Cluster> clusters;
  std::map<std::string, Endpoints> endpoints;  // by the names that clusters ask for
  // Resources of other types (route tables, secrets, ...), as bytes, by type and name.
  std::map<std::pair<std::string, std::string>, std::string> others;
  bool is_bootstrap = false;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;  // without static_resources but secrets

 private:
  bool readBootstrap(const std::string& path, config::ErrorList& errors);
  bool readResources(const std::string& path, config::ErrorList& errors);
  bool readIntent(const std::string& path, config::ErrorList& errors);
};

}  // namespace sluice::ctl
