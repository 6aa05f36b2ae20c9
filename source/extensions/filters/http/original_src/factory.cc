#include "source/extensions/filters/http/original_src/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/original_src/v3/original_src.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/original_src/filter.h"

namespace sluice::extensions::http_filters::original_src {
namespace {

using Proto = ::envoy::extensions::filters::http::original_src::v3::OriginalSrc;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>(Settings{proto.mark()});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::original_src
