#include "source/extensions/filters/http/router/factory.h"

#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "source/config/terminal_factory.h"
#include "source/config/upstream_filters.h"
#include "source/router/router.h"

namespace sluice::extensions::http_filters::router {
namespace {

using Proto = envoy::extensions::filters::http::router::v3::Router;

class Factory : public config::TerminalConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    auto settings = std::make_shared<sluice::router::RouterSettings>();
    settings->suppress_envoy_headers = proto.suppress_envoy_headers();
    settings->upstream_http_filters =
        config::compileUpstreamFilters(proto.upstream_http_filters(), "upstream_http_filters", context);
    return settings;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.terminals.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::router
