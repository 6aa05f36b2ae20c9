// Clusters that stand for others: which of those a request goes to.

#include <algorithm>
#include <cstdint>

#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {
namespace {

using cluster::Health;

constexpr uint32_t kOverprovisioning = 140;  // percent, as of priorities
// How many may stand for each other, one behind the other; there may be a circle.
constexpr int kMaxDepth = 4;
constexpr ClusterId kNone = UINT32_MAX;

}  // namespace

ClusterSet::Availability ClusterSet::availabilityOf(const cluster::HostSet& hosts) {
  const uint64_t all = hosts.entries().size() - hosts.countExcluded();
  if (all == 0) return {};
  const auto percent = [&](Health health) {
    return static_cast<uint32_t>(std::min<uint64_t>(100, hosts.countWithHealth(health) * kOverprovisioning / all));
  };
  const uint32_t healthy = percent(Health::kHealthy);
  return {healthy, std::min(percent(Health::kDegraded), 100 - healthy)};
}

ClusterSet::Availability ClusterSet::availabilityOf(ClusterId id, int depth) {
  Availability out;
  if (!has(id) || depth > kMaxDepth) return out;
  Entry& entry = entries_[id];
  if (entry.members.empty()) {
    if (!entry.availability) entry.availability = availabilityOf(*entry.published->hosts.set);
    return *entry.availability;
  }
  for (const ClusterId member : entry.members) {
    const Availability its = availabilityOf(member, depth + 1);
    out.healthy = std::min(100u, out.healthy + its.healthy);
    out.degraded += its.degraded;
  }
  out.degraded = std::min(out.degraded, 100 - out.healthy);
  return out;
}

bool ClusterSet::leadsToHosts(ClusterId id, int depth) const {
  if (!has(id) || depth > kMaxDepth) return false;
  const std::span<const ClusterId> members = entries_[id].members;
  return members.empty() ||
         std::any_of(members.begin(), members.end(), [&](ClusterId member) { return leadsToHosts(member, depth + 1); });
}

// A cluster with hosts, or one that is not there.
ClusterId ClusterSet::memberOf(ClusterId id) {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    if (!has(id) || entries_[id].members.empty()) return id;
    const std::span<const ClusterId> members = entries_[id].members;
    const Availability all = availabilityOf(id, depth);
    uint64_t drawn = random_.below(all.total());
    const bool healthy = drawn < all.healthy;
    if (!healthy) drawn -= all.healthy;
    const auto taken = std::find_if(members.begin(), members.end(), [&](ClusterId member) {
      if (all.total() == 0) return leadsToHosts(member, depth + 1);
      const Availability its = availabilityOf(member, depth + 1);
      const uint32_t share = healthy ? its.healthy : its.degraded;
      if (drawn < share) return true;
      drawn -= share;
      return false;
    });
    id = taken == members.end() ? kNone : *taken;
  }
  return has(id) && entries_[id].members.empty() ? id : kNone;
}

}  // namespace sluice::upstream
