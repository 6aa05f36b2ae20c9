#include "source/extensions/filters/http/grpc_stats/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "source/extensions/filters/http/grpc_stats/filter.h"

namespace sluice::extensions::filters::http::grpc_stats {
namespace {

using Proto = envoy::extensions::filters::http::grpc_stats::v3::FilterConfig;

MethodStats makeStats(const std::string& base, config::Services& services) {
  const auto counter = [&](const char* name) { return services.stats.counter(base + name); };
  return {counter("success"), counter("failure"), counter("total"), counter("request_message_count"),
          counter("response_message_count")};
}

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           const config::Context& context,
                                                           config::Services& services) const override {
    const auto& proto = static_cast<const Proto&>(message);
    if (proto.stats_for_all_methods().value()) {
      context.child("stats_for_all_methods")
          .error("would let clients make stats without end; name the methods in individual_method_stats_allowlist");
      return nullptr;
    }
    Settings settings;
    settings.emit_filter_state = proto.emit_filter_state();
    const std::string base = absl::StrCat(services.stat_prefix, "grpc.");
    settings.others = makeStats(base, services);
    for (const auto& service : proto.individual_method_stats_allowlist().services()) {
      const std::string shown = proto.replace_dots_in_grpc_service_name()
                                    ? absl::StrReplaceAll(service.name(), {{".", "_"}})
                                    : service.name();
      for (const std::string& method : service.method_names()) {
        settings.methods.emplace(absl::StrCat("/", service.name(), "/", method),
                                 makeStats(absl::StrCat(base, shown, ".", method, "."), services));
      }
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::filters::http::grpc_stats
