#include "source/extensions/matching/inputs/network/factory.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/matching/common_inputs/network/v3/network_inputs.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/network/inputs.h"

namespace sluice::extensions::matching::inputs::network {
namespace {

namespace v3 = envoy::extensions::matching::common_inputs::network::v3;

class MetadataFactory : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return v3::DynamicMetadataInput::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                              config::FactoryContext) const override {
    const auto& proto = static_cast<const v3::DynamicMetadataInput&>(message);
    std::vector<std::string> path;
    for (const auto& segment : proto.path()) path.push_back(segment.key());
    return std::make_shared<DynamicMetadata>(proto.filter(), std::move(path));
  }
};

class FilterStateFactory : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return v3::FilterStateInput::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                              config::FactoryContext) const override {
    return std::make_shared<FilterState>(static_cast<const v3::FilterStateInput&>(message).key());
  }
};

template <typename Proto, typename Input>
void add(config::Registry& registry) {
  registry.match_inputs.add(std::make_unique<config::PlainInputFactory<Proto, Input>>());
}

}  // namespace

void registerFactory(config::Registry& registry) {
  add<v3::DestinationIPInput, DestinationIp>(registry);
  add<v3::DestinationPortInput, DestinationPort>(registry);
  add<v3::SourceIPInput, SourceIp>(registry);
  add<v3::SourcePortInput, SourcePort>(registry);
  add<v3::DirectSourceIPInput, DirectSourceIp>(registry);
  add<v3::SourceTypeInput, SourceType>(registry);
  add<v3::ServerNameInput, ServerName>(registry);
  add<v3::TransportProtocolInput, TransportProtocol>(registry);
  add<v3::ApplicationProtocolInput, ApplicationProtocols>(registry);
  registry.match_inputs.add(std::make_unique<MetadataFactory>());
  registry.match_inputs.add(std::make_unique<FilterStateFactory>());
}

}  // namespace sluice::extensions::matching::inputs::network
