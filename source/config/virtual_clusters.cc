#include "source/config/virtual_clusters.h"

#include "source/config/rate_limits.h"

namespace sluice::config {

std::shared_ptr<const route::RequestStats> requestStats(const MakeRequestStats& stats, const std::string& host,
                                                        std::string_view of, const std::string& name) {
  return stats && !name.empty() ? stats(host, of, name) : nullptr;
}

route::VirtualClusters compileVirtualClusters(const envoy::config::route::v3::VirtualHost& host, const Context& context,
                                              Regexes& regexes, const MakeRequestStats& stats) {
  route::VirtualClusters out;
  if (host.virtual_clusters().empty()) return out;
  for (int i = 0; i < host.virtual_clusters_size(); ++i) {
    const auto& config = host.virtual_clusters(i);
    const Context at = context.child("virtual_clusters", static_cast<size_t>(i));
    if (config.headers().empty()) {
      at.child("headers").error("are not set; say which requests belong to it (all others belong to \"other\")");
    }
    route::VirtualCluster& cluster = out.emplace_back();
    cluster.name = config.name();
    for (int h = 0; h < config.headers_size(); ++h) {
      cluster.headers.push_back(
          compileHeaderMatcher(config.headers(h), at.child("headers", static_cast<size_t>(h)), regexes));
    }
    cluster.stats = requestStats(stats, host.name(), "vcluster", config.name());
  }
  out.push_back({.name = "other", .stats = requestStats(stats, host.name(), "vcluster", "other")});
  return out;
}

}  // namespace sluice::config
