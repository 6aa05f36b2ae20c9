// Makes chains and their routes of configurations.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/base/random.h"
#include "source/config/test_world.h"
#include "source/filter/chain_config.h"
#include "source/route/table.h"
#include "test/chains/filters.h"
#include "test/support/filter/guard.h"

namespace sluice::chains {

// For one worker, in whose registry it counts.
class Compiler {
 public:
  Compiler(observability::StatsRegistry& stats, worker::LocalSlots slots);

  // An entry whose factory is null: problems() says why.
  filter::ChainConfig::Entry compile(const Choice& choice, filter::testing::Watch& watch);
  // Three routes; each has some of the filters, and what was compiled for them.
  std::shared_ptr<const route::Table> table(base::Random& random);
  std::string problems() const { return errors_.toString(); }

 private:
  route::RouteSpec route(base::Random& random, std::string path);

  route::ClusterNames cluster_names_;
  route::FilterSlots filter_slots_;
  config::testing::NoRouteSlots route_slots_;
  config::Services services_;
  config::ErrorList errors_;
  config::Positions positions_;
  config::Context at_{errors_, &positions_};
  config::Holding holding_{services_};
  route::PerFilterSpec filters_;  // with null where routes have no settings
};

}  // namespace sluice::chains
