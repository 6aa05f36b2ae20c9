#include "source/upstream/lb/host_table.h"

#include <memory>
#include <numeric>
#include <string>
#include <utility>

namespace sluice::upstream::lb {

using cluster::HostSlot;

void HostTable::update(cluster::HostSetPtr set) {
  if (!made_.empty()) return;
  std::vector<uint32_t> active(set->slotCount(), 0);
  for (HostSlot slot = 0; slot < active.size() && slot < active_.size(); ++slot) {
    const cluster::Host* host = set->host(slot);
    if (host != nullptr && has(*host)) active[slot] = active_[slot];
  }
  active_ = std::move(active);
  total_active_ = std::accumulate(active_.begin(), active_.end(), uint64_t{0});
  set_ = std::move(set);
  hosts_ = set_->slots();
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
