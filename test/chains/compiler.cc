#include "test/chains/compiler.h"

#include "source/config/http_filter_factory.h"
#include "source/extensions/all.h"
#include "test/chains/messages.h"

namespace sluice::chains {
namespace {

const config::Registry& registry() {
  struct All : config::Registry {
    All() { extensions::registerAll(*this); }
  };
  static const All kAll;
  return kAll;
}

}  // namespace

Compiler::Compiler(observability::StatsRegistry& stats, worker::LocalSlots slots)
    : services_{registry(), stats, nullptr, cluster_names_, filter_slots_, route_slots_, config::Defaults::kEdge} {
  services_.local_slots = std::move(slots);
}

filter::ChainConfig::Entry Compiler::compile(const Choice& choice, filter::testing::Watch& watch) {
  const auto* const factory = registry().http_filters.find(choice.config->GetDescriptor()->full_name());
  const std::string name(choice.row->folder);
  if (factory == nullptr) {
    at_.error("no such filter");
    return {};
  }
  auto made = factory->compile(*choice.config, holding_.context(at_, "http.p."));
  if (!made) return {};
  const route::FilterSlot slot = filter_slots_.slotOf(name);
  std::shared_ptr<const route::PerFilterConfig> settings;
  if (choice.route) settings = factory->compileRoute(*choice.route, holding_.context(at_, "http.p."));
  filters_.emplace_back(slot, std::move(settings));
  return {name, filter::testing::guarded(std::move(made), name, watch), slot};
}

std::shared_ptr<const route::Table> Compiler::table(base::Random& random) {
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(route(random, "/"));
  host.routes.back().conditions.grpc = true;
  host.routes.push_back(route(random, "/a"));
  host.routes.push_back(route(random, "/"));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

route::RouteSpec Compiler::route(base::Random& random, std::string path) {
  route::ForwardSpec forward;
  forward.cluster = cluster_names_.idOf("up");
  forward.cluster_name = "up";
  route::RouteSpec out;
  out.path = std::move(path);
  out.action = std::move(forward);
  for (const auto& [slot, settings] : filters_) {
    if (once(random, 6)) {
      out.per_filter.emplace_back(slot, std::make_shared<route::FilterSwitch>(!once(random, 4)));
    } else if (settings) {
      out.per_filter.emplace_back(slot, settings);
    }
  }
  return out;
}

}  // namespace sluice::chains
