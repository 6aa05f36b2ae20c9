#include "source/config/filter_routes.h"

#include "absl/strings/str_cat.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/matcher_compiler.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/config/registry.h"
#include "source/config/retry_predicate_factory.h"

namespace sluice::config {
namespace {

// A filter that takes a message as its per-route setting. There may be several, if a filter has several messages of its
// own.
const HttpFilterConfigFactory* takerOf(const Registry& registry, std::string_view type) {
  for (const std::string_view filter : registry.http_filters.configTypes()) {
    const HttpFilterConfigFactory* factory = registry.http_filters.find(filter);
    if (factory->routeConfigType() == type) return factory;
  }
  return nullptr;
}

std::string namesOf(const ChainFilters& chain) {
  std::string text = "; it has";
  for (const auto& [name, filter] : chain) text += " '" + name + "'";
  return text;
}

}  // namespace

std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services, const ChainFilters* chain,
                                                  const std::string& owner, const std::string& identity,
                                                  bool with_vhds) {
  if (config.has_vhds() && !with_vhds) {
    context.child("vhds").error("is of tables by RDS; name the table by rds, or write its virtual hosts");
    return nullptr;
  }
  Holding holding(services);
  const std::string of = identity.empty() ? absl::StrCat("routes '", config.name(), "'") : identity;
  const auto within = [&](const Context& at) { return holding.context(at, owner, absl::StrCat(of, "/", at.path())); };
  RouteCompilerDeps deps{services.cluster_names, services.filter_slots, {}, {}, chain != nullptr, {}};
  deps.cluster_exists = services.cluster_exists;
  deps.runtime = services.runtime.get();
  deps.compile_filter_config = [&, chain](std::string_view filter_name, const google::protobuf::Any& config,
                                          const Context& at) -> std::shared_ptr<const route::PerFilterConfig> {
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(config, at);
    if (!message) return nullptr;
    const std::string& type = message->GetDescriptor()->full_name();
    const HttpFilterConfigFactory* factory = takerOf(services.registry, type);
    const filter::HttpFilterFactory* made = nullptr;  // of the chain
    if (chain != nullptr) {
      const auto filter = chain->find(filter_name);
      const bool upstream = factory != nullptr && factory->upstreamRefusal().empty();
      if (filter == chain->end() && upstream) {
        at.warn(absl::StrCat("no filter of the chain is named '", std::string(filter_name),
                             "': this is for upstream filters of that name only", namesOf(*chain)));
      } else if (filter == chain->end()) {
        at.error(absl::StrCat("no filter of the chain is named '", std::string(filter_name), "'", namesOf(*chain)));
        return nullptr;
      } else {
        factory = filter->second.factory;
        made = filter->second.filter.get();
        if (factory != nullptr && factory->routeConfigType() != type) factory = nullptr;
      }
    }
    if (factory == nullptr) {
      at.error(absl::StrCat(type, " is no per-route setting of filter '", std::string(filter_name), "'"));
      return nullptr;
    }
    RouteConfigPtr settings = factory->compileRoute(*message, within(at));
    if (settings && made != nullptr) factory->checkRoute(*settings, *made, at);
    return settings;
  };
  deps.retry_extensions.host_predicate = [&](const google::protobuf::Any& config, const Context& at) {
    return services.registry.retry_host_predicates.compile(config, within(at));
  };
  deps.retry_extensions.priority = [&](const google::protobuf::Any& config, const Context& at) {
    return services.registry.retry_priorities.compile(config, within(at));
  };
  deps.compile_redirect_predicate = [&](const google::protobuf::Any& config, const Context& at) {
    return services.registry.redirect_predicates.compile(config, within(at));
  };
  deps.compile_matcher = [&](const xds::type::matcher::v3::Matcher& matcher, const MatchPlace& place,
                             const Context& at) { return compileMatcher(matcher, place, within(at)); };
  deps.compile_input = [&](const google::protobuf::Any& config, const Context& at) {
    return compileMatchInput(config, within(at));
  };
  deps.request_stats = [&services](const std::string& host, std::string_view part, const std::string& name) {
    const std::string key = absl::StrCat(host, "\n", std::string(part), "\n", name);
    const auto make = [&] { return route::RequestStats::make(services.stats, host, part, name); };
    return services.objects.get<route::RequestStats>(key, make);
  };
  return holding.tie(compileRouteTable(config, context, deps));
}

}  // namespace sluice::config
