#include "source/extensions/clusters/dns/factory.h"

#include <string>

#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "source/config/assignment_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/dns_failure_rate.h"
#include "source/config/dns_resolver.h"
#include "source/config/values.h"
#include "source/extensions/clusters/dns/source.h"

namespace sluice::extensions::clusters::dns {
namespace {

using config::compileMilliseconds;
using std::chrono::milliseconds;

using config::Context;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::dns::v3::DnsCluster;
namespace family = envoy::extensions::clusters::common::dns::v3;

// What Cluster and DnsCluster have in common, under the same names.
template <typename Proto>
Settings compileSettings(const Proto& proto, const Context& context) {
  Settings out;
  if (proto.has_dns_refresh_rate()) out.refresh_rate = compileMilliseconds(proto.dns_refresh_rate());
  if (out.refresh_rate <= milliseconds(1)) {
    context.child("dns_refresh_rate").error("the refresh rate must be above 1 ms");
  }
  out.respect_ttl = proto.respect_dns_ttl();
  out.jitter = compileMilliseconds(proto.dns_jitter());
  config::compileDnsFailureRate(proto, context, out.failure_base_interval, out.failure_max_interval);
  return out;
}

std::shared_ptr<const Kind> makeKind(const Cluster& cluster, Settings settings, const Context& at) {
  upstream::cluster::Assignment names = config::compileOwnAssignment(cluster, config::EndpointNames::kResolved, at);
  const auto& localities = names.localities;
  if (settings.one_address && (localities.size() != 1 || localities[0].endpoints.size() != 1)) {
    at.child("load_assignment")
        .error(
            "has to have one locality with one endpoint, as all addresses are those of one host; use STRICT_DNS for "
            "more");
  }
  return std::make_shared<Kind>(std::move(names), settings);
}

class TypeFactory : public config::ClusterTypeFactory {
 public:
  explicit TypeFactory(bool one_address) : one_address_(one_address) {}

  ClusterKindPtr compile(const Cluster& cluster, config::FactoryContext factory) const override {
    Settings settings = compileSettings(cluster, factory.at);
    settings.lookup_family = config::compileLookupFamily(cluster, factory.at);
    settings.one_address = one_address_;
    return makeKind(cluster, settings, factory.at);
  }

 private:
  const bool one_address_;
};

class KindFactory : public config::ClusterKindFactory {
 public:
  std::string_view configType() const override { return DnsCluster::descriptor()->full_name(); }

  ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                         config::FactoryContext factory, const Context& cluster_at) const override {
    const auto& proto = static_cast<const DnsCluster&>(message);
    Settings settings = compileSettings(proto, factory.at);
    if (proto.has_dns_min_refresh_rate()) {
      settings.min_ttl = compileMilliseconds(proto.dns_min_refresh_rate());
      if (!proto.respect_dns_ttl()) {
        factory.at.child("dns_min_refresh_rate").warn("does nothing without respect_dns_ttl; set that, or remove it");
      }
    }
    if (!family::DnsLookupFamily_IsValid(proto.dns_lookup_family())) {
      factory.at.child("dns_lookup_family").error("use AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED or ALL");
    } else if (proto.dns_lookup_family() != family::UNSPECIFIED) {
      settings.lookup_family = static_cast<net::DnsLookupFamily>(proto.dns_lookup_family() - family::AUTO);
    }
    settings.one_address = proto.all_addresses_in_single_endpoint();
    warnOfOwnFields(cluster, cluster_at);
    return makeKind(cluster, settings, cluster_at);
  }

 private:
  static void warnOfOwnFields(const Cluster& cluster, const Context& at) {
    for (const char* name :
         {"dns_refresh_rate", "dns_failure_refresh_rate", "respect_dns_ttl", "dns_jitter", "dns_lookup_family"}) {
      const auto* field = Cluster::descriptor()->FindFieldByName(name);
      if (cluster.GetReflection()->HasField(cluster, field))
        at.child(name).warn("does not count: that of cluster_type does; move it there");
    }
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_types.emplace(Cluster::STRICT_DNS, std::make_unique<TypeFactory>(false));
  registry.cluster_types.emplace(Cluster::LOGICAL_DNS, std::make_unique<TypeFactory>(true));
  registry.cluster_kinds.add(std::make_unique<KindFactory>());
}

}  // namespace sluice::extensions::clusters::dns
