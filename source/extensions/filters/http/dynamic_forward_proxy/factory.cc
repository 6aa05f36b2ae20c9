#include "source/extensions/filters/http/dynamic_forward_proxy/factory.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.pb.h"
#include "source/config/dns_cache_compiler.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/dynamic_forward_proxy/filter.h"

namespace sluice::extensions::http_filters::dynamic_forward_proxy {
namespace {

using ::envoy::extensions::filters::http::dynamic_forward_proxy::v3::FilterConfig;
using ::envoy::extensions::filters::http::dynamic_forward_proxy::v3::PerRouteConfig;

// Any port: only whether there is a host counts.
constexpr uint16_t kAnyPort = 80;

class Factory : public config::RoutedHttpFilterOf<FilterConfig, PerRouteConfig> {
 public:
  config::HttpFilterPtr makeFilter(const FilterConfig& proto, const config::FactoryContext& context) const override {
    if (!proto.has_dns_cache_config()) {
      context.at.child("dns_cache_config").error("is needed: the same as that of the cluster");
      return nullptr;
    }
    auto cache = config::compileDnsCache(proto.dns_cache_config(), context.child("dns_cache_config"));
    if (!cache) return nullptr;
    return std::make_shared<FilterFactory>(Settings{std::move(cache), proto.save_upstream_address()});
  }

  config::RouteConfigPtr makeRouteConfig(const PerRouteConfig& proto,
                                         const config::FactoryContext& context) const override {
    switch (proto.host_rewrite_specifier_case()) {
      case PerRouteConfig::kHostRewriteLiteral:
        if (!dns_cache::parseHostName(proto.host_rewrite_literal(), kAnyPort)) {
          context.at.child("host_rewrite_literal")
              .error(absl::StrCat("\"", proto.host_rewrite_literal(),
                                  "\" is no host; write a name or an IP address, "
                                  "with or without a port"));
        }
        break;
      case PerRouteConfig::kHostRewriteHeader:
        if (!config::isToken(proto.host_rewrite_header())) {
          context.at.child("host_rewrite_header").error("is no name that a header may have");
        }
        break;
      default:
        context.at.error("says nothing; set host_rewrite_literal or host_rewrite_header");
    }
    return std::make_shared<RouteSettings>(proto.host_rewrite_literal(),
                                           absl::AsciiStrToLower(proto.host_rewrite_header()));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::dynamic_forward_proxy
