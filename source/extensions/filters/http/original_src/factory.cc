#include "source/extensions/filters/http/original_src/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/original_src/v3/original_src.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/original_src/filter.h"

namespace sluice::extensions::http_filters::original_src {
namespace {

using Proto = ::envoy::extensions::filters::http::original_src::v3::OriginalSrc;

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext) const override {
    return std::make_shared<FilterFactory>(Settings{static_cast<const Proto&>(message).mark()});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::original_src
