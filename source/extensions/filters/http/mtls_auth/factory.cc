#include "source/extensions/filters/http/mtls_auth/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "sluice/extensions/filters/http/mtls_auth/v1/mtls_auth.pb.h"
#include "source/config/consumers.h"
#include "source/config/group_access.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/mtls_auth/filter.h"

namespace sluice::extensions::http_filters::mtls_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::mtls_auth::v1;

class Factory : public config::RoutedHttpFilterOf<v1::MtlsAuth, v1::MtlsAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v1::MtlsAuth& proto, const config::FactoryContext& context) const override {
    auto consumers =
        config::compileConsumers({.filter = "mtls_auth", .source = proto.consumers(), .anonymous = proto.anonymous()},
                                 context.child("consumers"));
    std::string header;
    if (const std::string& name = proto.forward_header(); !name.empty()) {
      header = config::compileHeaderName(name, context.at.child("forward_header"));
    }
    Settings out;
    out.gate =
        config::makeConsumerGate("mtls_auth", std::move(consumers), std::move(header), "expired_certificate", context);
    out.accept_unverified_hashes = proto.accept_unverified_hashes();
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::MtlsAuthPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return config::compileGroupAccess(proto);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::mtls_auth
