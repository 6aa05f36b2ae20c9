// Network filters whose configuration comes, and changes, while their listener serves: a connection has those that are
// there when it is accepted, to its end. One that misses a configuration is closed. (proto: ExtensionConfigSource)
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "source/filter/network.h"
#include "source/filter/network_filter.h"
#include "source/worker/exchanged.h"

namespace sluice::filter {

// Null: no configuration has come.
using NetworkFilterHolder = worker::Exchanged<NetworkFilterFactory>;

struct DiscoveredNetworkFilter {
  size_t index = 0;  // its place among the filters of the chain
  std::shared_ptr<const NetworkFilterHolder> holder;
};

// `terminal` behind `filters`, which are null where `discovered` has one.
std::shared_ptr<const TerminalNetworkFilter> makeDiscovered(NetworkFilters filters,
                                                            std::vector<DiscoveredNetworkFilter> discovered,
                                                            std::shared_ptr<const TerminalNetworkFilter> terminal);

}  // namespace sluice::filter
