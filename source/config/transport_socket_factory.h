// The kind of extension that carries the bytes of connections.
#pragma once

#include <cstdint>
#include <memory>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/net/transport.h"

namespace sluice::config {

// Null is a plain socket, or something is wrong and was reported.
class TransportSocketConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message& message,
                                                                         FactoryContext context) const = 0;
  virtual std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                                       FactoryContext context) const = 0;
};

enum class TransportSide : uint8_t { kDownstream, kUpstream };

// A `transport_socket` field; `context` stands at it, its owner is the listener's or cluster's.
std::shared_ptr<const net::TransportFactory> compileTransport(const envoy::config::core::v3::TransportSocket& socket,
                                                              TransportSide side, const FactoryContext& context);

}  // namespace sluice::config
