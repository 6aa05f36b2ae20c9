#include "source/extensions/clusters/strict_dns/factory.h"

#include <algorithm>

#include "source/config/assignment_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/values.h"
#include "source/extensions/clusters/strict_dns/source.h"

namespace sluice::extensions::clusters::strict_dns {
namespace {

using config::compileMilliseconds;
using std::chrono::milliseconds;

class Factory : public config::ClusterTypeFactory {
 public:
  ClusterKindPtr compile(const Cluster& cluster, config::FactoryContext factory) const override {
    const config::Context& context = factory.at;
    return std::make_shared<Kind>(config::compileOwnAssignment(cluster, config::EndpointNames::kResolved, context),
                                  compileSettings(cluster, context));
  }

 private:
  static Settings compileSettings(const Cluster& proto, const config::Context& context) {
    Settings out;
    if (proto.has_dns_refresh_rate()) out.refresh_rate = compileMilliseconds(proto.dns_refresh_rate());
    if (out.refresh_rate <= milliseconds(1)) {
      context.child("dns_refresh_rate").error("the refresh rate must be above 1 ms");
    }
    out.respect_ttl = proto.respect_dns_ttl();
    out.jitter = compileMilliseconds(proto.dns_jitter());
    if (proto.dns_lookup_family() < Cluster::AUTO || proto.dns_lookup_family() > Cluster::ALL) {
      context.child("dns_lookup_family").error("use AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED or ALL");
    }
    out.lookup_family = static_cast<net::DnsLookupFamily>(proto.dns_lookup_family());
    if (!proto.has_dns_failure_refresh_rate()) return out;
    const Cluster::RefreshRate& failure = proto.dns_failure_refresh_rate();
    out.failure_base_interval = compileMilliseconds(failure.base_interval());
    out.failure_max_interval =
        failure.has_max_interval() ? compileMilliseconds(failure.max_interval()) : 10 * out.failure_base_interval;
    if (out.failure_max_interval < out.failure_base_interval) {
      context.child("dns_failure_refresh_rate").error("max_interval must not be shorter than base_interval");
    }
    return out;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_types.emplace(config::ClusterTypeFactory::Cluster::STRICT_DNS, std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::strict_dns
