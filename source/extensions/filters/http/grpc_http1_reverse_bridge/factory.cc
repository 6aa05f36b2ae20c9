#include "source/extensions/filters/http/grpc_http1_reverse_bridge/factory.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/grpc_http1_reverse_bridge/filter.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_http1_reverse_bridge::v3;

class Factory : public config::RoutedHttpFilterOf<v3::FilterConfig, v3::FilterConfigPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return "it answers gRPC clients, once, for all attempts"; }

  config::HttpFilterPtr makeFilter(const v3::FilterConfig& proto, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>(Settings{proto.content_type(), proto.withhold_grpc_frames(),
                                                    absl::AsciiStrToLower(proto.response_size_header())});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::FilterConfigPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return std::make_shared<route::PerFilterConfig>(proto.disabled());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
