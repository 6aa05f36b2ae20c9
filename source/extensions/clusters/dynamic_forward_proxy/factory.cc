#include "source/extensions/clusters/dynamic_forward_proxy/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/dns_cache_compiler.h"
#include "source/extensions/clusters/dynamic_forward_proxy/policy.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {
namespace {

using Proto = ::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
using ::envoy::config::core::v3::TransportSocket;
using ::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

class Factory : public config::ClusterKindFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                         config::FactoryContext context, const config::Context& cluster_at) const override {
    const auto& proto = static_cast<const Proto&>(message);
    if (cluster.has_load_assignment()) {
      cluster_at.child("load_assignment").error("the hosts of this cluster are those that requests name; remove it");
    }
    if (!proto.allow_insecure_cluster_options()) checkTransports(cluster, cluster_at);
    if (!proto.has_dns_cache_config()) {
      context.at.child("dns_cache_config").error("is needed: where the names of hosts are looked up");
      return nullptr;
    }
    auto cache = config::compileDnsCache(proto.dns_cache_config(), context.child("dns_cache_config"));
    if (!cache) return nullptr;
    return std::make_shared<Kind>(std::move(cache), !proto.allow_insecure_cluster_options());
  }

 private:
  static void checkTransports(const Cluster& cluster, const config::Context& at) {
    checkTransport(cluster.transport_socket(), at.child("transport_socket"));
    for (int i = 0; i < cluster.transport_socket_matches_size(); ++i) {
      checkTransport(cluster.transport_socket_matches(i).transport_socket(),
                     at.child("transport_socket_matches", static_cast<size_t>(i)).child("transport_socket"));
    }
  }

  // What does not parse is reported by who compiles it.
  static void checkTransport(const TransportSocket& socket, const config::Context& at) {
    UpstreamTlsContext tls;
    if (!socket.typed_config().Is<UpstreamTlsContext>() || !socket.typed_config().UnpackTo(&tls)) return;
    if (tls.common_tls_context().validation_context_type_case() != 0) return;
    at.child("typed_config")
        .child("common_tls_context")
        .error(
            "without a validation_context any server is believed to be the host that was asked for; set trusted_ca, or "
            "allow_insecure_cluster_options of the cluster");
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_kinds.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
