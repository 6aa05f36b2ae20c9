#include "source/extensions/filters/http/grpc_stats/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/grpc_stats/filter.h"

namespace sluice::extensions::http_filters::grpc_stats {
namespace {

using Proto = envoy::extensions::filters::http::grpc_stats::v3::FilterConfig;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext&) const override {
    Settings settings;
    settings.emit_filter_state = proto.emit_filter_state();
    settings.all_methods = proto.stats_for_all_methods().value();
    settings.replace_dots = proto.replace_dots_in_grpc_service_name();
    for (const auto& service : proto.individual_method_stats_allowlist().services()) {
      for (const std::string& method : service.method_names()) {
        const std::string path = absl::StrCat("/", service.name(), "/", method);
        settings.methods.emplace(path, shownMethod(path, settings.replace_dots));
      }
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_stats
