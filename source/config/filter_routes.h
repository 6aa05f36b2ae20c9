// Route tables with the settings that their filters have for routes.
#pragma once

#include <memory>
#include <string>

#include "source/config/route_compiler.h"
#include "source/config/services.h"

namespace sluice::config {

// compileRouteTable with what `services` know: per-route settings go to the factories of their filters, clusters that
// no route may lead to are refused. `chain`: of a table that stands in a listener; there settings for a filter that is
// not in the chain are an error, and validate_clusters is on unless it says otherwise. Null for RDS, whose tables many
// chains share. `owner` and `identity` as in FactoryContext. `with_vhds`: virtual hosts on demand are somebody's to
// bring.
std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services, const ChainFilters* chain,
                                                  const std::string& owner = {}, const std::string& identity = {},
                                                  bool with_vhds = false);

// Asks the filters of a chain, at each level of a table, whether they may have the settings that stand there, and may
// be switched off there. (HttpFilterConfigFactory::checkLevels, switchRefusal) `at` stands at the table.
void checkSettings(const route::Table& table, const ChainFilters& chain, route::FilterSlots& slots, const Context& at);

// What the filters of a chain tell of a request with that route, those that tell something.
// (HttpFilterConfigFactory::explain)
std::string explainSettings(const route::Match& match, const ChainFilters& chain, route::FilterSlots& slots);

}  // namespace sluice::config
