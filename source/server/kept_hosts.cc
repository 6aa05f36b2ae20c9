#include "source/server/kept_hosts.h"

#include <memory>
#include <unordered_set>
#include <utility>

namespace sluice::server {

namespace cluster = upstream::cluster;

namespace {

struct IdentityHash {
  size_t operator()(const cluster::HostIdentity& identity) const { return identity.hash(); }
};
using Identities = std::unordered_set<cluster::HostIdentity, IdentityHash>;

bool stays(const cluster::HostSet::Entry& entry) {
  using cluster::Health;
  const Health checked = entry.host->monitor().opinion(cluster::HealthInput::kActiveCheck);
  return entry.check.wanted && entry.assigned <= Health::kDegraded && checked <= Health::kDegraded;
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
  out.check = entry.check;
  out.leaving = true;
  return out;
}

Identities identitiesOf(const cluster::Assignment& told) {
  Identities out;
  for (const cluster::LocalityEndpoints& locality : told.localities) {
    for (const cluster::Endpoint& endpoint : locality.endpoints) out.insert(cluster::identityOf(endpoint));
  }
  return out;
}

}  // namespace

cluster::AssignmentPtr withKeptHosts(cluster::AssignmentPtr told, const cluster::HostSet* before,
                                     const cluster::ClusterConfig& config) {
  if (config.health_checks.empty() || config.host_changes.ignore_health_on_removal || before == nullptr) return told;
  if (config.kind->hostsStandForOne()) return told;
  const Identities there = identitiesOf(*told);
  std::shared_ptr<cluster::Assignment> out;
  for (const cluster::HostSet::Entry& entry : before->entries()) {
    if (there.contains(entry.host->monitor().identity()) || !stays(entry)) continue;
    if (!out) out = std::make_shared<cluster::Assignment>(*told);
    const cluster::LocalityEndpoints* const last = out->localities.empty() ? nullptr : &out->localities.back();
    const bool fits = out->localities.size() > told->localities.size() && last->priority == entry.priority &&
                      last->locality == entry.locality;
    if (!fits) {
      // Without a weight: a locality that is told of keeps its own.
      cluster::LocalityEndpoints& locality = out->localities.emplace_back();
      locality.locality = entry.locality;
      locality.priority = entry.priority;
    }
    out->localities.back().endpoints.push_back(endpointOf(entry, *before));
  }
  return out ? out : told;
}

}  // namespace sluice::server
