// One upstream host. Immutable, shared by all workers; its identity outlives updates: while an update keeps the same
// (address, hostname, metadata), the very same Host object stays, so pools keyed by it survive endpoint changes. What
// changes of it, counts and health, is in its monitor.
//
// What may change from update to update (weight, health, priority, locality) is not here but in HostSet::Entry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "source/net/address.h"
#include "source/stream/metadata.h"
#include "source/upstream/cluster/host_monitor.h"

namespace sluice::upstream::cluster {

// A small number that is the host's own within its cluster for as long as it is in the HostSet: an index into
// per-worker arrays. A number can be reused by another host after its host has left: compare the Host when a set is
// exchanged.
using HostSlot = uint32_t;
inline constexpr HostSlot kNoHost = UINT32_MAX;

class Host {
 public:
  // `monitor`: of its identity; null: one of its own.
  Host(net::Address address, std::string hostname, HostSlot slot, stream::FixedMetadata metadata = {},
       std::shared_ptr<HostMonitor> monitor = nullptr)
      : address_(address),
        address_text_(address.toString()),
        hostname_(std::move(hostname)),
        metadata_(std::move(metadata)),
        monitor_(monitor ? std::move(monitor) : std::make_shared<HostMonitor>(address_, hostname_, metadata_)),
        slot_(slot),
        canary_(saysCanary(metadata_)) {}

  const net::Address& address() const { return address_; }
  // As in logs and stats: "1.2.3.4:80".
  const std::string& addressText() const { return address_text_; }
  // May be empty.
  const std::string& hostname() const { return hostname_; }
  const stream::FixedMetadata& metadata() const { return metadata_; }
  HostSlot slot() const { return slot_; }
  // Its metadata says so: `canary: true` of "envoy.lb".
  bool canary() const { return canary_; }
  HostMonitor& monitor() const { return *monitor_; }
  const std::shared_ptr<HostMonitor>& monitorPtr() const { return monitor_; }
  HostStats& stats() const { return monitor_->stats(); }

 private:
  static bool saysCanary(const stream::FixedMetadata& metadata) {
    if (!metadata) return false;
    const stream::MetadataValue* canary = stream::findMetadata(*metadata.fields(), "envoy.lb", {"canary"});
    const bool* said = canary == nullptr ? nullptr : std::get_if<bool>(&canary->value);
    return said != nullptr && *said;
  }

  const net::Address address_;
  const std::string address_text_;
  const std::string hostname_;
  const stream::FixedMetadata metadata_;
  const std::shared_ptr<HostMonitor> monitor_;
  const HostSlot slot_;
  const bool canary_;
};

using HostPtr = std::shared_ptr<const Host>;

}  // namespace sluice::upstream::cluster
