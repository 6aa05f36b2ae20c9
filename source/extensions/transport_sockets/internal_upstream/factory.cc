#include "source/extensions/transport_sockets/internal_upstream/factory.h"

#include <memory>

#include "envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "source/config/transport_socket_factory.h"
#include "source/extensions/transport_sockets/internal_upstream/handing_over.h"

namespace sluice::extensions::transport_sockets::internal_upstream {
namespace {

using Proto = ::envoy::extensions::transport_sockets::internal_upstream::v3::InternalUpstreamTransport;
using envoy::type::metadata::v3::MetadataKind;

class Factory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext context) const override {
    context.at.error(
        "is for clusters whose hosts are internal listeners; the listener itself needs no transport socket");
    return nullptr;
  }

  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const config::ErrorMark mark(context.at);
    Settings settings;
    for (int i = 0; i < proto.passthrough_metadata_size(); ++i) {
      const auto& source = proto.passthrough_metadata(i);
      const auto kind = source.kind().kind_case();
      if (kind == MetadataKind::kRequest || kind == MetadataKind::kRoute) {
        context.at.child("passthrough_metadata", static_cast<size_t>(i))
            .child("kind")
            .error("connections are shared by requests; only `host` and `cluster` are possible");
      }
      settings.metadata.push_back({kind == MetadataKind::kCluster, source.name()});
    }
    observability::Scope stats = context.services.stats.scope("cluster", context.owner);
    settings.no_metadata = stats.counter("internal_upstream.no_metadata");
    settings.hold = observability::Scope::share(std::move(stats));
    std::shared_ptr<const net::TransportFactory> inner = config::compileTransport(
        proto.transport_socket(), config::TransportSide::kUpstream, context.child("transport_socket"));
    if (mark.hit()) return nullptr;
    return std::make_shared<HandingOver>(std::move(settings), std::move(inner));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.transport_sockets.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::transport_sockets::internal_upstream
