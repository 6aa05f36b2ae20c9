#include "source/config/filter_routes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/text.h"
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

// Walks through the levels of a table.
class SettingsCheck {
 public:
  SettingsCheck(const route::Table& table, route::FilterSlots& slots, const Context& at)
      : table_(table), slots_(slots), at_(at) {}

  // `known`: whether `chain` is the table's, and not only what its settings are for.
  void run(const ChainFilters& chain, bool known) {
    for (const auto& [name, filter] : chain) {
      if (filter.factory == nullptr) continue;
      name_ = name;
      filter_ = &filter;
      slot_ = slots_.slotOf(name);
      if (slot_ >= table_.slotCount()) continue;
      refusal_ = known ? filter.factory->switchRefusal(filter.filter.get()) : std::string_view();
      checkTable();
    }
  }

 private:
  using Configs = route::PerFilterConfigs;

  void checkTable() {
    const route::Match of_table{.table = &table_};
    check(table_.perFilter(), nullptr, of_table, at_);
    for (size_t i = 0; i < table_.virtualHosts().size(); ++i) {
      const route::VirtualHost& host = table_.virtualHosts()[i];
      const Context at = at_.child("virtual_hosts", i);
      check(host.per_filter, table_.perFilter(), {.table = &table_, .virtual_host = &host}, at);
      for (size_t j = 0; j < host.routes.size(); ++j) {
        // A tree has its routes in its leaves, in an order of its own.
        checkRoute(host, host.routes[j], host.tree == nullptr ? at.child("routes", j) : at.child("matcher"));
      }
    }
  }

  void checkRoute(const route::VirtualHost& host, const route::Route& route, const Context& at) {
    const route::Match match{.table = &table_, .virtual_host = &host, .route = &route};
    check(route.per_filter, host.per_filter, match, at);
    if (route.forward == nullptr || route.forward->choice == nullptr) return;
    for (const route::WeightedCluster& share : route.forward->choice->weighted) {
      route::Match of_share = match;
      of_share.choice = &share;
      check(share.per_filter, route.per_filter, of_share, at.child("route"));
    }
  }

  // `match`: with the level, and those above, whose settings are `above`.
  void check(Configs configs, Configs above, const route::Match& match, const Context& at) {
    if (configs == nullptr || configs[slot_] == nullptr) return;
    if (above != nullptr && above[slot_] == configs[slot_]) return;
    const Context entry = at.entry("typed_per_filter_config", name_);
    if (configs[slot_]->disabled() && !refusal_.empty()) entry.error(base::strCat("disables the filter: ", refusal_));
    if (configs[slot_]->hasSettings()) {
      filter_->factory->checkLevels(match.perFilterLevels(slot_), filter_->filter.get(), entry);
    }
  }

  const route::Table& table_;
  route::FilterSlots& slots_;
  const Context& at_;
  std::string_view name_;
  const ChainFilter* filter_ = nullptr;
  route::FilterSlot slot_ = 0;
  std::string_view refusal_;
};

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
  ChainFilters seen;  // without a chain: those that there are settings for
  deps.compile_filter_config = [&, chain](std::string_view filter_name, const google::protobuf::Any& config,
                                          const route::SettingsLevel& level,
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
    if (chain == nullptr) seen.emplace(filter_name, factory);
    FactoryContext place = within(at);
    place.route_level = level;
    RouteConfigPtr settings = factory->compileRoute(*message, place);
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
  const ErrorMark mark(context);
  std::shared_ptr<const route::Table> table = compileRouteTable(config, context, deps);
  if (table != nullptr)
    SettingsCheck(*table, services.filter_slots, context).run(chain != nullptr ? *chain : seen, chain != nullptr);
  return mark.hit() ? nullptr : holding.tie(std::move(table));
}

void checkSettings(const route::Table& table, const ChainFilters& chain, route::FilterSlots& slots, const Context& at) {
  SettingsCheck(table, slots, at).run(chain, true);
}

std::string explainSettings(const route::Match& match, const ChainFilters& chain, route::FilterSlots& slots) {
  std::string out;
  for (const auto& [name, filter] : chain) {
    if (filter.factory == nullptr || filter.filter == nullptr) continue;
    const std::string text = filter.factory->explain(*filter.filter, match.perFilterLevels(slots.slotOf(name)));
    if (!text.empty()) absl::StrAppend(&out, "filter '", name, "'\n", text);
  }
  return out;
}

}  // namespace sluice::config
