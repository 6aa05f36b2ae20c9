#include "source/extensions/filters/http/key_auth/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "sluice/extensions/filters/http/key_auth/v1/key_auth.pb.h"
#include "source/config/consumers.h"
#include "source/config/group_access.h"
#include "source/config/http_filter_factory.h"
#include "source/config/key_sources.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/key_auth/filter.h"

namespace sluice::extensions::http_filters::key_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::key_auth::v1;

class Factory : public config::RoutedHttpFilterOf<v1::KeyAuth, v1::KeyAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v1::KeyAuth& proto, const config::FactoryContext& context) const override {
    auto consumers =
        config::compileConsumers({.filter = "key_auth", .source = proto.consumers(), .anonymous = proto.anonymous()},
                                 context.child("consumers"));
    std::string header;
    if (const std::string& name = proto.forwarding().header(); !name.empty()) {
      header = config::compileHeaderName(name, context.at.child("forwarding").child("header"));
    }
    Settings out;
    out.gate =
        config::makeConsumerGate("key_auth", std::move(consumers), std::move(header), "expired_api_key", context);
    out.key_sources = config::compileKeySources(proto.key_sources(), context.at);
    out.hide_credentials = proto.forwarding().hide_credentials();
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::KeyAuthPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return config::compileGroupAccess(proto);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::key_auth
