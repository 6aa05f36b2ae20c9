#include "source/extensions/transport_sockets/raw_buffer/factory.h"

#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "source/config/transport_socket_factory.h"

namespace sluice::extensions::transport_sockets::raw_buffer {
namespace {

using Proto = envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;

class Factory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext) const override {
    return nullptr;
  }
  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message&,
                                                               config::FactoryContext) const override {
    return nullptr;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.transport_sockets.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::transport_sockets::raw_buffer
