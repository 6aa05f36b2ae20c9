#include "source/extensions/filters/listener/original_src/factory.h"

#include <memory>

#include "envoy/extensions/filters/listener/original_src/v3/original_src.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/extensions/filters/listener/original_src/filter.h"

namespace sluice::extensions::listener_filters::original_src {
namespace {

using Proto = ::envoy::extensions::filters::listener::original_src::v3::OriginalSrc;

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    return std::make_shared<Filter>(Settings{proto.bind_port(), proto.mark()});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::listener_filters::original_src
