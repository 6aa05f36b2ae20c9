#pragma once

// What requests are counted by beside their cluster: VirtualHost.virtual_clusters and Route.stat_prefix.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "envoy/config/route/v3/route_components.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/route/virtual_cluster.h"

namespace sluice::config {

// The stats of "vhost.HOST.OF.NAME.", `of` being "vcluster" or "route". Empty: nothing is counted, the configuration is
// only checked.
using MakeRequestStats = std::function<std::shared_ptr<const route::RequestStats>(
    const std::string& host, std::string_view of, const std::string& name)>;

// The context stands at the virtual host.
route::VirtualClusters compileVirtualClusters(const envoy::config::route::v3::VirtualHost& host, const Context& context,
                                              Regexes& regexes, const MakeRequestStats& stats);

// Null: nothing is counted.
std::shared_ptr<const route::RequestStats> requestStats(const MakeRequestStats& stats, const std::string& host,
                                                        std::string_view of, const std::string& name);

}  // namespace sluice::config
