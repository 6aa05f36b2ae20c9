#include "source/upstream/zone_counts.h"

#include "source/base/text.h"

namespace sluice::upstream {

// Once a set of hosts, of those that it names: hosts that are made on the worker are in no zone.
void ZoneCounts::learn(const cluster::HostSet& hosts) {
  by_slot_.assign(hosts.slotCount(), nullptr);
  for (const cluster::HostSet::Entry& entry : hosts.entries()) {
    const std::string& zone = entry.locality->zone;
    if (zone.empty()) continue;
    StatusCounts& counts = zones_.try_emplace(zone, counts_, base::strCat("zone.", own_, ".", zone)).first->second;
    by_slot_[entry.host->slot()] = &counts;
  }
}

}  // namespace sluice::upstream
