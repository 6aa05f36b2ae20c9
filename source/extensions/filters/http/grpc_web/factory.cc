#include "source/extensions/filters/http/grpc_web/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/grpc_web/filter.h"

namespace sluice::extensions::http_filters::grpc_web {
namespace {

using Proto = envoy::extensions::filters::http::grpc_web::v3::GrpcWeb;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override {
    return "it turns what a browser sends into gRPC, once, for all attempts";
  }
  config::HttpFilterPtr makeFilter(const Proto&, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_web
