#include "source/extensions/filters/network/direct_response/factory.h"

#include "envoy/extensions/filters/network/direct_response/v3/config.pb.h"
#include "source/config/network_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/direct_response/filter.h"

namespace sluice::extensions::network_filters::direct_response {
namespace {

using Proto = envoy::extensions::filters::network::direct_response::v3::Config;

class Factory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    if (!proto.has_response()) return std::make_shared<DirectResponse>(std::string());
    auto response = config::compileDataSource(proto.response(), context.at.child("response"));
    return response ? std::make_shared<DirectResponse>(*std::move(response)) : nullptr;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.network_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::direct_response
