#include "source/extensions/filters/http/buffer/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/buffer/filter.h"

namespace sluice::extensions::http_filters::buffer {
namespace {

using envoy::extensions::filters::http::buffer::v3::Buffer;
using envoy::extensions::filters::http::buffer::v3::BufferPerRoute;

Settings compileSettings(const Buffer& proto) {
  return {proto.max_request_bytes().value()};
}

class Factory : public config::RoutedHttpFilterOf<Buffer, BufferPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const Buffer& proto, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto));
  }

  config::RouteConfigPtr makeRouteConfig(const BufferPerRoute& proto, const config::FactoryContext&) const override {
    return std::make_shared<RouteSettings>(proto.disabled(), compileSettings(proto.buffer()));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::buffer
