#include "source/extensions/filters/http/grpc_http1_bridge/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/grpc_http1_bridge/filter.h"

namespace sluice::extensions::http_filters::grpc_http1_bridge {
namespace {

using Proto = envoy::extensions::filters::http::grpc_http1_bridge::v3::Config;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return "it answers clients of HTTP/1.1, once, for all attempts"; }
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>(Settings{proto.upgrade_protobuf_to_grpc(), proto.ignore_query_parameters()});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_http1_bridge
