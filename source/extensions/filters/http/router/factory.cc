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
    settings->dynamic_stats = !proto.has_dynamic_stats() || proto.dynamic_stats().value();
    settings->suppress_grpc_code_stats = proto.suppress_grpc_request_failure_code_stats();
    settings->heeds_expected_timeout = proto.respect_expected_rq_timeout();
    settings->refuses_early_connect_data = proto.reject_connect_request_early_data().value();
    const auto& strict = proto.strict_check_headers();
    settings->strict_words = sluice::router::StrictWords({strict.begin(), strict.end()});
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
