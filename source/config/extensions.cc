#include "source/config/extensions.h"

#include "absl/strings/str_cat.h"

namespace sluice::config {
namespace {

// The filter that takes a message as its per-route setting.
const HttpFilterConfigFactory* takerOf(const Registry& registry, std::string_view type) {
  for (const std::string_view filter : registry.http_filters.configTypes()) {
    const HttpFilterConfigFactory* factory = registry.http_filters.find(filter);
    if (factory->routeConfigType() == type) return factory;
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services, bool inline_table) {
  RouteCompilerDeps deps{services.cluster_names, services.filter_slots, {}, {}, inline_table};
  deps.cluster_exists = services.cluster_exists;
  deps.compile_filter_config = [&services](std::string_view filter_name, const google::protobuf::Any& config,
                                           const Context& context) -> std::shared_ptr<const route::PerFilterConfig> {
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(config, context);
    if (!message) return nullptr;
    const std::string& type = message->GetDescriptor()->full_name();
    const HttpFilterConfigFactory* factory = takerOf(services.registry, type);
    if (factory == nullptr) {
      context.error(
          absl::StrCat(type, " is no per-route setting of filter '", std::string(filter_name), "' or of any other"));
      return nullptr;
    }
    return factory->compileRoute(*message, context, services);
  };
  std::shared_ptr<const route::Table> table = compileRouteTable(config, context, deps);
  if (!table || !services.cluster_refusal) return table;
  bool refused = false;
  for (const route::ClusterId id : table->clusters()) {
    const std::string why = services.cluster_refusal(table->clusterName(id));
    if (why.empty()) continue;
    context.error(why);
    refused = true;
  }
  return refused ? nullptr : table;
}

}  // namespace sluice::config
