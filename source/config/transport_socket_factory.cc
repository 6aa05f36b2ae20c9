#include "source/config/transport_socket_factory.h"

#include "source/config/holding.h"
#include "source/config/registry.h"

namespace sluice::config {

std::shared_ptr<const net::TransportFactory> compileTransport(const envoy::config::core::v3::TransportSocket& socket,
                                                              TransportSide side, const FactoryContext& context) {
  const Context at = context.at.child("typed_config");
  const auto match = context.services.registry.transport_sockets.resolve(socket.typed_config(), at);
  if (!match) return nullptr;
  Holding holding(context);
  FactoryContext typed = holding.context(at, context.owner, context.identity);
  return holding.tie(side == TransportSide::kDownstream
                         ? match.factory->compileDownstream(*match.config, std::move(typed))
                         : match.factory->compileUpstream(*match.config, std::move(typed)));
}

}  // namespace sluice::config
