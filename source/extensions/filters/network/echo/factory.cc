#include "source/extensions/filters/network/echo/factory.h"

#include "envoy/extensions/filters/network/echo/v3/echo.pb.h"
#include "source/config/network_filter_factory.h"
#include "source/extensions/filters/network/echo/filter.h"

namespace sluice::extensions::network_filters::echo {
namespace {

class Factory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override {
    return envoy::extensions::filters::network::echo::v3::Echo::descriptor()->full_name();
  }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message&,
                                                               config::FactoryContext) const override {
    return std::make_shared<EchoFilter>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.network_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::echo
