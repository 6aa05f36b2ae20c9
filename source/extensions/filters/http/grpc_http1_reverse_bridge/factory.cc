#include "source/extensions/filters/http/grpc_http1_reverse_bridge/factory.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/grpc_http1_reverse_bridge/filter.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_http1_reverse_bridge::v3;

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return v3::FilterConfig::descriptor()->full_name(); }
  std::string_view upstreamRefusal() const override { return "it answers gRPC clients, once, for all attempts"; }
  std::string_view routeConfigType() const override { return v3::FilterConfigPerRoute::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext) const override {
    const auto& proto = static_cast<const v3::FilterConfig&>(message);
    return std::make_shared<FilterFactory>(Settings{proto.content_type(), proto.withhold_grpc_frames(),
                                                    absl::AsciiStrToLower(proto.response_size_header())});
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext) const override {
    return std::make_shared<route::PerFilterConfig>(static_cast<const v3::FilterConfigPerRoute&>(message).disabled());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
