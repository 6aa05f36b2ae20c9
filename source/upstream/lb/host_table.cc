#include "source/upstream/lb/host_table.h"

#include <memory>
#include <string>
#include <utility>

namespace sluice::upstream::lb {

using cluster::HostSlot;

void HostTable::update(cluster::HostSetPtr set) {
  if (!made_.empty()) return;
  const std::span<const cluster::HostPtr> hosts = set->slots();
  if (hosts.data() != hosts_.data()) {
    for (size_t slot = 0; slot < active_.size(); ++slot) {
      if (active_[slot] == 0 || (slot < hosts.size() && hosts[slot] == hosts_[slot])) continue;
      total_active_ -= std::exchange(active_[slot], 0);
    }
    active_.resize(hosts.size());
  }
  hosts_ = hosts;
  set_ = std::move(set);
}

HostSlot HostTable::make(const net::Address& address, std::string hostname) {
  auto slot = static_cast<HostSlot>(made_.size());
  if (free_.empty()) {
    made_.emplace_back();
    active_.resize(made_.size());
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  made_[slot] = std::make_shared<const cluster::Host>(address, std::move(hostname), slot);
  active_[slot] = 0;
  hosts_ = made_;
  return slot;
}

void HostTable::forget(HostSlot slot) {
  if (on_forgotten_) on_forgotten_(slot);
  made_[slot].reset();
  free_.push_back(slot);
}

}  // namespace sluice::upstream::lb
