// How sockets that connect to hosts are made. Thread: main. Run after validate(); errors go to `context`.
// (proto: envoy.config.core.v3.BindConfig, Cluster.upstream_connection_options)
#pragma once

#include <memory>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/services.h"
#include "source/net/family_order.h"
#include "source/net/socket.h"

namespace sluice::config {

// `context` stands at the cluster. Without a bind config of its own it has that of the services.
net::ConnectOptions compileConnectOptions(const envoy::config::cluster::v3::Cluster& cluster, const Context& context,
                                          const Services& services);

// What is for clusters without one of their own (Services::upstream_bind); null: nothing. `context` stands at the
// bootstrap.
std::shared_ptr<const net::ConnectOptions> compileUpstreamBind(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                               const Context& context);

// In which order the addresses of one host are tried. (proto: UpstreamConnectionOptions.happy_eyeballs_config)
net::FamilyOrder compileFamilyOrder(const envoy::config::cluster::v3::Cluster& cluster, const Context& context);

}  // namespace sluice::config
