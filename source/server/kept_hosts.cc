#include "source/server/kept_hosts.h"

#include <memory>
#include <utility>
#include <vector>

#include "source/upstream/cluster/host_matcher.h"

namespace sluice::server {

namespace cluster = upstream::cluster;

namespace {

bool stays(const cluster::HostSet::Entry& entry) {
  using cluster::Health;
  const Health checked = entry.host->monitor().opinion(cluster::HealthInput::kActiveCheck);
  return entry.check().wanted && entry.assigned <= Health::kDegraded && checked <= Health::kDegraded;
}

cluster::Endpoint endpointOf(const cluster::HostSet::Entry& entry, const cluster::HostSet& set) {
  cluster::Endpoint out;
  out.address = entry.host->address();
  for (const net::Address& address : set.addressesOf(entry.host->slot())) {
    if (address != out.address) out.additional.push_back(address);
  }
  out.hostname = entry.host->hostname();
  out.metadata = entry.host->metadata();
  out.weight = entry.weight;
  out.health = entry.assigned;
  out.check = entry.check();
  out.leaving = true;
  return out;
}

// By slot: hosts of the set that the assignment tells of.
std::vector<bool> toldOf(const cluster::Assignment& told, const cluster::HostSet& hosts) {
  std::vector<bool> out(hosts.slotCount());
  for (const cluster::HostPtr* host : cluster::hostsOf(told, &hosts)) {
    if (host != nullptr) out[(*host)->slot()] = true;
  }
  return out;
}

}  // namespace

cluster::AssignmentPtr withKeptHosts(cluster::AssignmentPtr told, const cluster::HostSet* before,
                                     const cluster::ClusterConfig& config) {
  if (config.health_checks.empty() || config.host_changes.ignore_health_on_removal || before == nullptr) return told;
  if (config.kind->hostsStandForOne()) return told;
  const std::vector<bool> there = toldOf(*told, *before);
  std::shared_ptr<cluster::Assignment> out;
  for (const cluster::HostSet::Entry& entry : before->entries()) {
    if (there[entry.host->slot()] || !stays(entry)) continue;
    if (!out) out = std::make_shared<cluster::Assignment>(*told);
    const cluster::LocalityEndpoints* const last = out->localities.empty() ? nullptr : &out->localities.back();
    const bool fits = out->localities.size() > told->localities.size() && last->priority == entry.priority &&
                      last->locality == *entry.locality;
    if (!fits) {
      // Without a weight: a locality that is told of keeps its own.
      cluster::LocalityEndpoints& locality = out->localities.emplace_back();
      locality.locality = *entry.locality;
      locality.priority = entry.priority;
    }
    out->localities.back().endpoints.push_back(endpointOf(entry, *before));
  }
  return out ? out : told;
}

}  // namespace sluice::server
