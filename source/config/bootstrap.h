// A bootstrap as a whole: what concerns more than one of its parts.
//
// Thread: main. Run after validate(). Listeners, clusters and routes have compilers of their own; here are names that
// must be unique, addresses that must not be shared, the admin address and the sources of dynamic resources with the
// clusters that they need.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/config_source.h"
#include "source/config/connection_limits.h"
#include "source/config/errors.h"
#include "source/net/address.h"

namespace sluice::config {

struct DynamicSources {
  std::optional<GrpcSource> ads;
  std::optional<ResourceSource> lds;
  std::optional<ResourceSource> cds;
};

struct BootstrapSettings {
  std::optional<net::Address> admin_address;  // none: no admin server
  DynamicSources sources;
  std::optional<GrpcSource> load_reports;  // to whom; `delta` means nothing
  ConnectionLimitSettings connection_limits;
  std::shared_ptr<const runtime::Snapshot> runtime;
  int internal_buffer = 0;  // bytes that may be on their way to an internal listener, and from it
  std::string log_format;   // for Logger::setFormat(); empty: as it is
};

// Everything wrong goes to `context`, which stands at the bootstrap; nothing is returned if anything was.
std::optional<BootstrapSettings> compileBootstrap(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                  const Context& context);

// Whether a source of dynamic resources can work under this bootstrap: `ads` needs an ads_config, a gRPC source a
// static cluster that is not EDS itself, both a node with id and cluster. For sources inside listeners and clusters,
// too.
bool checkSource(const ResourceSource& source, const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                 const Context& context);

}  // namespace sluice::config
