// The bootstrap: read, checked and compiled as a whole, before anything of it takes effect.
//
// Thread: main. Used by `serve`, by `--mode validate` and by tools: what one refuses the others refuse.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/bootstrap.h"
#include "source/config/cluster_compiler.h"
#include "source/config/errors.h"
#include "source/config/extensions.h"
#include "source/config/listener_compiler.h"
#include "source/server/options.h"
#include "source/server/resource_key.h"
#include "source/server/secret_manager.h"

namespace sluice::server {

using BootstrapProto = envoy::config::bootstrap::v3::Bootstrap;

// Reads and checks by the rules of the protos.
bool loadBootstrap(const Options& options, BootstrapProto& bootstrap, config::ErrorList& errors,
                   config::Positions& positions);

struct CompiledBootstrap {
  struct Cluster {
    std::shared_ptr<const upstream::cluster::ClusterConfig> config;
    const envoy::config::cluster::v3::Cluster* proto;
  };
  struct Listener {
    config::CompiledListener compiled;
    const envoy::config::listener::v3::Listener* proto;
    std::vector<ResourceKey> rds;
  };
  std::vector<Cluster> clusters;
  std::vector<Listener> listeners;
  std::optional<config::BootstrapSettings> settings;
  stream::AccessLogs admin_access_logs;
};

// Compiles all of it and checks what concerns several parts: names, references, what xDS needs. The tables of
// `services.route_slots` are collected into each listener. False after reporting.
// `secrets`: those of `services`, filled with the bootstrap's; null: they are only checked.
bool compileBootstrap(const BootstrapProto& bootstrap, const config::Context& context, config::Services& services,
                      CompiledBootstrap& out, BootstrapSecrets* secrets = nullptr);

// The tables that the connection managers of a listener get by RDS.
// `self`: identity of the listener's own source.
std::vector<ResourceKey> rdsOf(const envoy::config::listener::v3::Listener& listener, const std::string& self = {});

// Route slots that lead nowhere: for validating.
class NoRouteSlots : public config::RouteSlots {
 public:
  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table>) override {
    return std::make_shared<route::TableSlot>();
  }
  std::shared_ptr<const route::TableSlot> rds(const std::string&, const envoy::config::core::v3::ConfigSource&,
                                              const config::Context&) override {
    return std::make_shared<route::TableSlot>();
  }
};

}  // namespace sluice::server
