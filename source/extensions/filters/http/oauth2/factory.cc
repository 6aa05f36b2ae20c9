#include "source/extensions/filters/http/oauth2/factory.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/oauth2/v3/oauth.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/oauth2/factory_config.h"
#include "source/extensions/filters/http/oauth2/filter.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

namespace v3 = envoy::extensions::filters::http::oauth2::v3;

class Factory : public config::RoutedHttpFilterOf<v3::OAuth2, v3::OAuth2PerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v3::OAuth2& proto, const config::FactoryContext& context) const override {
    const std::string& more = proto.config().stat_prefix();
    const std::string prefix = absl::StrCat(context.owner, more, more.empty() ? "" : ".");
    const auto counter = [&](const char* name) { return context.stats->counter(prefix + name); };
    const Stats stats{counter("oauth_failure"),
                      counter("oauth_success"),
                      counter("oauth_passthrough"),
                      counter("oauth_unauthorized_rq"),
                      counter("oauth_refreshtoken_success"),
                      counter("oauth_refreshtoken_failure")};
    return std::make_shared<FilterFactory>(
        Settings{proto.has_config() ? compileConfig(proto.config(), context.child("config")) : nullptr, stats});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::OAuth2PerRoute& proto,
                                         const config::FactoryContext& context) const override {
    const config::FactoryContext at = context.child("config");
    if (!proto.config().stat_prefix().empty()) {
      at.at.child("stat_prefix").error("has no effect here: stats are the filter's; remove it");
    }
    return std::make_shared<RouteSettings>(compileConfig(proto.config(), at));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::oauth2
