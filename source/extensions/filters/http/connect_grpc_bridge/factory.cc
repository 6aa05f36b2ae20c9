#include "source/extensions/filters/http/connect_grpc_bridge/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/connect_grpc_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/connect_grpc_bridge/filter.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {
namespace {

using Proto = envoy::extensions::filters::http::connect_grpc_bridge::v3::FilterConfig;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override {
    return "it turns what a client sends into gRPC, once, for all attempts";
  }
  config::HttpFilterPtr makeFilter(const Proto&, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
