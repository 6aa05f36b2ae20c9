#include "source/extensions/transport_sockets/http_11_proxy/factory.h"

#include <memory>
#include <optional>

#include "envoy/extensions/transport_sockets/http_11_proxy/v3/upstream_http_11_connect.pb.h"
#include "source/config/transport_socket_factory.h"
#include "source/extensions/transport_sockets/http_11_proxy/transport.h"

namespace sluice::extensions::transport_sockets::http_11_proxy {
namespace {

using Proto = ::envoy::extensions::transport_sockets::http_11_proxy::v3::Http11ProxyUpstreamTransport;

class Factory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext context) const override {
    context.at.error("is for clusters, whose hosts are reached through a proxy; a listener has no use for it");
    return nullptr;
  }

  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const config::ErrorMark mark(context.at);
    std::optional<net::Address> proxy;
    if (proto.has_default_proxy_address()) {
      const auto& address = proto.default_proxy_address().socket_address();
      proxy = net::Address::fromIp(address.address(), static_cast<uint16_t>(address.port_value()));
      if (!proxy) {
        context.at.child("default_proxy_address")
            .error("is not an IP address and a port; give a socket_address with those of the proxy");
      }
    }
    std::shared_ptr<const net::TransportFactory> inner;
    if (proto.has_transport_socket()) {
      inner = config::compileTransport(proto.transport_socket(), config::TransportSide::kUpstream,
                                       context.child("transport_socket"));
    }
    if (mark.hit()) return nullptr;
    return std::make_shared<TunnelFactory>(std::move(proxy), std::move(inner));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.transport_sockets.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::transport_sockets::http_11_proxy
