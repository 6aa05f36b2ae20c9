#include "source/extensions/filters/listener/original_dst/factory.h"

#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/extensions/filters/listener/original_dst/filter.h"

namespace sluice::extensions::listener_filters::original_dst {
namespace {

using Proto = envoy::extensions::filters::listener::original_dst::v3::OriginalDst;

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message&,
                                                        config::FactoryContext) const override {
    return std::make_shared<Filter>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::listener_filters::original_dst
