#include "source/extensions/clusters/original_dst/factory.h"

#include "absl/strings/ascii.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/values.h"
#include "source/extensions/clusters/original_dst/policy.h"

namespace sluice::extensions::clusters::original_dst {
namespace {

class Factory : public config::ClusterTypeFactory {
 public:
  ClusterKindPtr compile(const Cluster& cluster, config::FactoryContext factory) const override {
    const config::Context& context = factory.at;
    if (cluster.has_load_assignment()) {
      context.child("load_assignment")
          .error("a cluster of type ORIGINAL_DST has no endpoints but those that connections were going to");
    }
    return std::make_shared<Kind>(compileSettings(cluster, context));
  }

 private:
  static Settings compileSettings(const Cluster& cluster, const config::Context& context) {
    Settings out;
    if (cluster.has_cleanup_interval()) out.cleanup_interval = config::compileMilliseconds(cluster.cleanup_interval());
    const Cluster::OriginalDstLbConfig& lb = cluster.original_dst_lb_config();
    const config::Context at = context.child("original_dst_lb_config");
    if (lb.use_http_header()) {
      out.header =
          lb.http_header_name().empty() ? "x-envoy-original-dst-host" : absl::AsciiStrToLower(lb.http_header_name());
      if (out.header.front() == ':' && out.header != ":authority") {
        at.child("http_header_name").error("of the pseudo headers only :authority can tell an address");
      }
    } else if (!lb.http_header_name().empty()) {
      at.child("http_header_name").error("is not looked at without use_http_header: true");
    }
    if (!lb.has_upstream_port_override()) return out;
    out.port_override = static_cast<uint16_t>(lb.upstream_port_override().value());
    if (out.port_override == 0) at.child("upstream_port_override").error("a host needs a port from 1 to 65535");
    return out;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_types.emplace(config::ClusterTypeFactory::Cluster::ORIGINAL_DST, std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::original_dst
