#include "source/config/extensions.h"

#include "absl/strings/str_cat.h"
#include "source/config/access_log_filter.h"
#include "source/config/holding.h"

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

std::string namesOf(const ChainFilters& chain) {
  std::string text = "; it has";
  for (const auto& [name, factory] : chain) text += " '" + name + "'";
  return text;
}

}  // namespace

std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services, const ChainFilters* chain,
                                                  const std::string& owner, const std::string& identity) {
  Holding holding(services);
  const std::string of = identity.empty() ? absl::StrCat("routes '", config.name(), "'") : identity;
  RouteCompilerDeps deps{services.cluster_names, services.filter_slots, {}, {}, chain != nullptr};
  deps.cluster_exists = services.cluster_exists;
  deps.compile_filter_config = [&, chain](std::string_view filter_name, const google::protobuf::Any& config,
                                          const Context& at) -> std::shared_ptr<const route::PerFilterConfig> {
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(config, at);
    if (!message) return nullptr;
    const std::string& type = message->GetDescriptor()->full_name();
    const HttpFilterConfigFactory* factory = takerOf(services.registry, type);
    if (chain != nullptr) {
      const auto filter = chain->find(filter_name);
      if (filter == chain->end()) {
        at.error(absl::StrCat("no filter of the chain is named '", std::string(filter_name), "'", namesOf(*chain)));
        return nullptr;
      }
      if (filter->second != factory) factory = nullptr;
    }
    if (factory == nullptr) {
      at.error(absl::StrCat(type, " is no per-route setting of filter '", std::string(filter_name), "'"));
      return nullptr;
    }
    return factory->compileRoute(*message, holding.context(at, owner, absl::StrCat(of, "/", at.path())));
  };
  return holding.tie(compileRouteTable(config, context, deps));
}

std::shared_ptr<const net::TransportFactory> compileTransport(const envoy::config::core::v3::TransportSocket& socket,
                                                              TransportSide side, const FactoryContext& context) {
  const Context at = context.at.child("typed_config");
  const auto match = context.services.registry.transport_sockets.resolve(socket.typed_config(), at);
  if (!match) return nullptr;
  Holding holding(context);
  FactoryContext typed = holding.context(at, context.owner, context.identity);
  return holding.tie(side == TransportSide::kDownstream
                         ? match.factory->compileDownstream(*match.config, std::move(typed))
                         : match.factory->compileUpstream(*match.config, std::move(typed)));
}

stream::AccessLogs compileAccessLogs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& logs,
    const FactoryContext& context) {
  stream::AccessLogs out;
  for (int i = 0; i < logs.size(); ++i) {
    FactoryContext typed = context.child("access_log", static_cast<size_t>(i)).child("typed_config");
    const auto match = context.services.registry.access_logs.resolve(logs[i].typed_config(), typed.at);
    if (!match) continue;
    std::shared_ptr<const stream::AccessLogFilter> filter;
    if (logs[i].has_filter()) {
      filter = compileAccessLogFilter(logs[i].filter(),
                                      context.at.child("access_log", static_cast<size_t>(i)).child("filter"));
    }
    auto log = match.factory->compile(*match.config, std::move(typed));
    if (log && filter) log = std::make_shared<stream::FilteredAccessLog>(std::move(filter), std::move(log));
    if (log) out.push_back(std::move(log));
  }
  return out;
}

}  // namespace sluice::config
