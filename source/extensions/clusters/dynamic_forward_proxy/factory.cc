#include "source/extensions/clusters/dynamic_forward_proxy/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/any_type.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/dns_cache_compiler.h"
#include "source/extensions/clusters/dynamic_forward_proxy/policy.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {
namespace {

using Proto = ::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
using ::envoy::config::core::v3::TransportSocket;
using ::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
using ::envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext;
using ::envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
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

  static void checkTransport(const TransportSocket& socket, const config::Context& context) {
    const config::Context at = context.child("typed_config");
    config::ErrorList others;  // what does not parse is reported by who compiles it
    const auto message = config::unpackAny(socket.typed_config(), config::Context(others));
    if (const auto* wrapper = dynamic_cast<const ProxyProtocolUpstreamTransport*>(message.get())) {
      return checkTransport(wrapper->transport_socket(), at.child("transport_socket"));
    }
    const auto* tls = dynamic_cast<const UpstreamTlsContext*>(message.get());
    if (tls == nullptr || verifies(tls->common_tls_context())) return;
    at.child("common_tls_context")
        .error(
            "without a validation_context that has a trusted_ca, any server is believed to be the host that was asked "
            "for; set that, or allow_insecure_cluster_options of the cluster");
  }

  // What comes by SDS is not known yet.
  static bool verifies(const CommonTlsContext& tls) {
    const auto untrusted = CertificateValidationContext::ACCEPT_UNTRUSTED;
    switch (tls.validation_context_type_case()) {
      case CommonTlsContext::kValidationContext: {
        const CertificateValidationContext& own = tls.validation_context();
        const bool trusts = own.has_trusted_ca() || own.has_system_root_certs() || own.has_custom_validator_config() ||
                            own.verify_certificate_hash_size() > 0 || own.verify_certificate_spki_size() > 0;
        return trusts && own.trust_chain_verification() != untrusted;
      }
      case CommonTlsContext::kValidationContextSdsSecretConfig:
        return true;
      case CommonTlsContext::kCombinedValidationContext:
        return tls.combined_validation_context().default_validation_context().trust_chain_verification() != untrusted;
      default:
        return false;
    }
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_kinds.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
