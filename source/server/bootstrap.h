// The bootstrap: read, checked and compiled as a whole, before anything of it takes effect.
//
// Thread: main. Used by `serve`, by `--mode validate` and by tools: what one refuses the others refuse.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/bootstrap.h"
#include "source/config/cluster_compiler.h"
#include "source/config/errors.h"
#include "source/config/listener_compiler.h"
#include "source/config/services.h"
#include "source/server/init_manager.h"
#include "source/server/options.h"
#include "source/server/secret_manager.h"
#include "source/stream/access_log.h"

namespace sluice::server {

using BootstrapProto = envoy::config::bootstrap::v3::Bootstrap;

// Reads and checks by the rules of the protos.
bool loadBootstrap(const Options& options, BootstrapProto& bootstrap, config::ErrorList& errors,
                   config::Positions& positions);

struct CompiledBootstrap {
  struct Cluster {
    std::shared_ptr<const upstream::cluster::ClusterConfig> config;
    const envoy::config::cluster::v3::Cluster* proto;
    std::unique_ptr<InitManager> init;  // null: it is only checked
  };
  struct Listener {
    config::CompiledListener compiled;
    const envoy::config::listener::v3::Listener* proto;
    std::unique_ptr<InitManager> init;
  };
  std::vector<Cluster> clusters;
  std::vector<Listener> listeners;
  std::optional<config::BootstrapSettings> settings;
  stream::AccessLogs admin_access_logs;
};

// What compiling a bootstrap needs if it is to serve.
struct ServingParts {
  BootstrapSecrets& secrets;  // those of the services; filled with the bootstrap's
  // Of each cluster and listener, by name.
  std::function<std::unique_ptr<InitManager>(const std::string&name)> cluster_init, listener_init;
};

// Compiles all of it and checks what concerns several parts: names, references, what xDS needs. False after reporting.
// `serving`: null: it is only checked.
bool compileBootstrap(const BootstrapProto& bootstrap, const config::Context& context, config::Services& services,
                      CompiledBootstrap& out, const ServingParts* serving = nullptr);

}  // namespace sluice::server
