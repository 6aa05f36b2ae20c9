// One upstream host. Immutable but for its counts, shared by all workers; its identity outlives updates: while an
// update keeps the same (address, hostname, metadata), the very same Host object stays, so pools keyed by it survive
// endpoint changes.
//
// What may change from update to update (weight, health, priority, locality) is not here but in HostSet::Entry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "source/net/address.h"
#include "source/stream/metadata.h"
#include "source/upstream/cluster/host_stats.h"

namespace sluice::upstream::cluster {

// A small number that is the host's own within its cluster for as long as it is in the HostSet: an index into
// per-worker arrays. A number can be reused by another host after its host has left: compare the Host when a set is
// exchanged.
using HostSlot = uint32_t;
inline constexpr HostSlot kNoHost = UINT32_MAX;

class Host {
 public:
  Host(net::Address address, std::string hostname, HostSlot slot, stream::FixedMetadata metadata = {})
      : address_(address),
        address_text_(address.toString()),
        hostname_(std::move(hostname)),
        metadata_(std::move(metadata)),
        slot_(slot) {}

  const net::Address& address() const { return address_; }
  // As in logs and stats: "1.2.3.4:80".
  const std::string& addressText() const { return address_text_; }
  // May be empty.
  const std::string& hostname() const { return hostname_; }
  const stream::FixedMetadata& metadata() const { return metadata_; }
  HostSlot slot() const { return slot_; }
  HostStats& stats() const { return stats_; }

 private:
  const net::Address address_;
  const std::string address_text_;
  const std::string hostname_;
  const stream::FixedMetadata metadata_;
  const HostSlot slot_;
  mutable HostStats stats_;
};

using HostPtr = std::shared_ptr<const Host>;

}  // namespace sluice::upstream::cluster
