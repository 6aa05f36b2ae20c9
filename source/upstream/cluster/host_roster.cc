#include "source/upstream/cluster/host_roster.h"

#include <algorithm>

#include "source/upstream/cluster/host_monitors.h"

namespace sluice::upstream::cluster {

namespace {

HostIdentity keyOf(const Host& host) {
  return {host.address(), host.hostname(), host.metadata().identity()};
}

}  // namespace

const HostPtr* HostRoster::find(const HostIdentity& identity) const {
  const size_t hash = identity.address.hash();
  auto at = std::lower_bound(by_address.begin(), by_address.end(), std::pair(hash, HostSlot{0}));
  for (; at != by_address.end() && at->first == hash; ++at) {
    const HostPtr& host = by_slot[at->second];
    if (keyOf(*host) == identity) return &host;
  }
  return nullptr;
}

RosterBuilder::RosterBuilder(std::vector<const HostPtr*> known, HostRosterPtr previous, HostMonitors* monitors)
    : known_(std::move(known)), previous_(std::move(previous)), monitors_(monitors) {
  if (previous_) taken_.resize(previous_->by_slot.size());
  for (const HostPtr* host : known_) {
    if (host != nullptr) keep(**host);
  }
}

void RosterBuilder::keep(const Host& host) {
  if (taken_[host.slot()]) return;
  taken_[host.slot()] = true;
  ++kept_;
  end_ = std::max<size_t>(end_, host.slot() + 1);
}

HostPtr RosterBuilder::next(const Endpoint& endpoint) {
  const HostPtr* const host = known_[at_++];
  return host != nullptr ? *host : add(endpoint);
}

HostPtr RosterBuilder::add(const Endpoint& endpoint) {
  if (const auto found = added_.find(identityOf(endpoint)); found != added_.end()) return found->second;
  while (next_free_ < taken_.size() && taken_[next_free_]) ++next_free_;
  const auto slot = static_cast<HostSlot>(next_free_++);
  auto host = std::make_shared<const Host>(endpoint.address, endpoint.hostname, slot, endpoint.metadata,
                                           monitors_ ? monitors_->of(endpoint) : nullptr);
  added_.emplace(keyOf(*host), host);
  return host;
}

HostRosterPtr RosterBuilder::finish() {
  const bool same = previous_ && added_.empty() && kept_ == previous_->count;
  if (same) return previous_;
  auto out = std::make_shared<HostRoster>();
  out->count = kept_ + added_.size();
  out->by_slot.resize(std::max(end_, next_free_));
  std::vector<std::pair<size_t, HostSlot>> came, stay;
  for (const auto& [identity, host] : added_) {
    out->by_slot[host->slot()] = host;
    came.emplace_back(identity.address.hash(), host->slot());
  }
  std::sort(came.begin(), came.end());
  stay.reserve(kept_);
  if (previous_) {
    for (const auto& [hash, slot] : previous_->by_address) {
      if (!taken_[slot]) continue;
      out->by_slot[slot] = previous_->by_slot[slot];
      stay.emplace_back(hash, slot);
    }
  }
  out->by_address.resize(out->count);
  std::merge(stay.begin(), stay.end(), came.begin(), came.end(), out->by_address.begin());
  return out;
}

}  // namespace sluice::upstream::cluster
