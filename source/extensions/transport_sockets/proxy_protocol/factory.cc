#include "source/extensions/transport_sockets/proxy_protocol/factory.h"

#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "source/config/proxy_tlvs.h"
#include "source/config/transport_socket_factory.h"
#include "source/extensions/transport_sockets/proxy_protocol/transport.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {
namespace {

using Proto = envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
using envoy::config::core::v3::ProxyProtocolConfig;

class Factory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext context) const override {
    context.at.error("is for clusters; a listener reads such headers with the listener filter proxy_protocol");
    return nullptr;
  }

  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const config::ErrorMark mark(context.at);
    const bool v2 = proto.config().version() == ProxyProtocolConfig::V2;
    std::string tlvs;
    const config::Context at = context.at.child("config");
    net::TlvTypes passed_on;
    if (proto.config().has_pass_through_tlvs()) {
      passed_on = config::compileTlvTypes(proto.config().pass_through_tlvs());
      if (!v2) at.child("pass_through_tlvs").error("only version V2 of the header has TLVs; set `version: V2`");
    }
    for (int i = 0; i < proto.config().added_tlvs_size(); ++i) {
      const auto& tlv = proto.config().added_tlvs(i);
      if (tlv.value().empty()) at.child("added_tlvs", static_cast<size_t>(i)).error("needs a value");
      if (tlvs.size() + 3 + tlv.value().size() > kMaxTlvBytes) {
        at.child("added_tlvs").error("more than 65499 bytes in all, which a header cannot hold; take some out");
        break;
      }
      tlvs += makeTlv(static_cast<uint8_t>(tlv.type()), tlv.value());
      passed_on.reset(tlv.type());
    }
    if (!v2 && !tlvs.empty()) at.child("added_tlvs").error("only version V2 of the header has TLVs; set `version: V2`");
    std::shared_ptr<const net::TransportFactory> inner = config::compileTransport(
        proto.transport_socket(), config::TransportSide::kUpstream, context.child("transport_socket"));
    if (mark.hit()) return nullptr;
    return std::make_shared<HeaderTransportFactory>(v2 ? Version::kV2 : Version::kV1, std::move(tlvs), std::move(inner),
                                                    passed_on);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.transport_sockets.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
