// The hosts of a worker's cluster by slot, and how many requests run on each.
//
// They come with a HostSet from main, or a picker makes them itself where somebody wants them (ORIGINAL_DST): then
// main's sets are empty. Thread: the worker that owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::lb {

class HostTable {
 public:
  // `on_forgotten`: a host that was made here goes; its slot is free afterwards.
  explicit HostTable(std::function<void(cluster::HostSlot)> on_forgotten = nullptr)
      : on_forgotten_(std::move(on_forgotten)), set_(cluster::HostSet::empty()) {}

  // Hosts that stay keep their active requests.
  void update(cluster::HostSetPtr set);

  // What came from main.
  const cluster::HostSet& set() const { return *set_; }
  size_t slotCount() const { return hosts_.size(); }
  const cluster::HostPtr& hostPtr(cluster::HostSlot slot) const { return hosts_[slot]; }
  bool has(const cluster::Host& host) const {
    return host.slot() < hosts_.size() && hosts_[host.slot()].get() == &host;
  }

  // Around each request on a host. A host that has left meanwhile may be finished too.
  void requestStarted(cluster::HostSlot slot) {
    ++active_[slot];
    ++total_active_;
  }
  void requestFinished(const cluster::Host& host) {
    if (!has(host)) return;
    --active_[host.slot()];
    --total_active_;
  }
  uint32_t activeRequests(cluster::HostSlot slot) const { return active_[slot]; }
  // On all hosts that there are.
  uint64_t totalActive() const { return total_active_; }

  // --- hosts of a picker's own
  // `hostname`: by which it was wanted; empty: by its address.
  cluster::HostSlot make(const net::Address& address, std::string hostname = {});
  // Nothing runs on it.
  void forget(cluster::HostSlot slot);
  size_t madeCount() const { return made_.size() - free_.size(); }

 private:
  const std::function<void(cluster::HostSlot)> on_forgotten_;
  std::span<const cluster::HostPtr> hosts_;  // of set_, or made_
  std::vector<uint32_t> active_;             // by slot
  uint64_t total_active_ = 0;                // the sum
  cluster::HostSetPtr set_;                  // never null
  std::vector<cluster::HostPtr> made_;       // null: the slot is free
  std::vector<cluster::HostSlot> free_;      // of made_
};

}  // namespace sluice::upstream::lb
