#include "source/extensions/clusters/redis/policy.h"

#include <algorithm>
#include <unordered_map>

namespace sluice::extensions::clusters::redis {

using sluice::redis::Read;
using upstream::cluster::Health;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;

Tables::Tables(const SlotMap& slots, const upstream::cluster::HostSet& hosts) {
  std::unordered_map<net::Address, Shard::Member> by_address;
  for (const auto& entry : hosts.entries()) {
    const bool available = entry.health == Health::kHealthy || entry.health == Health::kDegraded;
    by_address.emplace(entry.host->address(), Shard::Member{entry.host->slot(), available});
  }
  const auto memberAt = [&by_address](const net::Address& address) {
    const auto found = by_address.find(address);
    return found == by_address.end() ? Shard::Member() : found->second;
  };
  by_slot_.fill(kNobodys);
  for (const SlotMap::Range& range : slots.ranges) {
    const auto number = static_cast<uint16_t>(shards_.size());
    Shard& shard = shards_.emplace_back();
    shard.primary = memberAt(range.primary);
    for (const net::Address& address : range.replicas) {
      const Shard::Member replica = memberAt(address);
      if (replica.slot != kNoHost) shard.replicas.push_back(replica);
    }
    std::fill(by_slot_.begin() + range.first, by_slot_.begin() + range.last + 1, number);
  }
}

HostSlot Picker::pick(const upstream::lb::LbContext& context) {
  // Who knows nothing of slots gets some primary.
  const sluice::redis::Target target =
      context.redis != nullptr
          ? *context.redis
          : sluice::redis::Target{static_cast<uint16_t>(worker_.random.below(sluice::redis::kSlots)), Read::kPrimary};
  const Tables::Shard* const shard = tables_ == nullptr ? nullptr : tables_->shardOf(target.slot);
  if (shard == nullptr) return kNoHost;
  switch (target.read) {
    case Read::kPrimary:
      return shard->primary.slot;
    case Read::kPreferPrimary: {
      if (shard->primary.available) return shard->primary.slot;
      const HostSlot replica = replicaOf(*shard, true);
      return replica == kNoHost ? shard->primary.slot : replica;
    }
    case Read::kReplica:
      return replicaOf(*shard, false);
    case Read::kPreferReplica: {
      const HostSlot replica = replicaOf(*shard, true);
      return replica == kNoHost ? shard->primary.slot : replica;
    }
    case Read::kAny: {
      const uint64_t choice = worker_.random.below(shard->replicas.size() + 1);
      if (choice == 0 && shard->primary.available) return shard->primary.slot;
      const HostSlot replica = replicaOf(*shard, true);
      return replica == kNoHost ? shard->primary.slot : replica;
    }
  }
  return kNoHost;
}

// One by chance of those that are available; of all where none is, unless only such will do.
HostSlot Picker::replicaOf(const Tables::Shard& shard, bool available_only) {
  const auto& replicas = shard.replicas;
  if (replicas.empty()) return kNoHost;
  const size_t first = worker_.random.below(replicas.size());
  for (size_t i = 0; i < replicas.size(); ++i) {
    const auto& replica = replicas[(first + i) % replicas.size()];
    if (replica.available) return replica.slot;
  }
  return available_only ? kNoHost : replicas[first].slot;
}

}  // namespace sluice::extensions::clusters::redis
