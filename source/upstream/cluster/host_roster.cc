#include "source/upstream/cluster/host_roster.h"

#include <algorithm>
#include <iterator>
#include <span>

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
  if (std::exchange(taken_[host.slot()], 1) != 0) return;
  ++kept_;
  end_ = std::max<size_t>(end_, host.slot() + 1);
}

HostPtr RosterBuilder::next(const Endpoint& endpoint) {
  const HostPtr* const host = known_[at_++];
  return host != nullptr ? *host : add(endpoint);
}

HostPtr RosterBuilder::add(const Endpoint& endpoint) {
  if (const auto found = added_.find(identityOf(endpoint)); found != added_.end()) return found->second;
  while (next_free_ < taken_.size() && taken_[next_free_] != 0) ++next_free_;
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
  takeOver(*out);
  for (const auto& [identity, host] : added_) out->by_slot[host->slot()] = host;
  return out;
}

// Whoever stays, and of those that came where their addresses are among the others.
void RosterBuilder::takeOver(HostRoster& out) const {
  if (previous_) {
    const auto begin = previous_->by_slot.begin();
    out.by_slot.assign(begin, begin + static_cast<std::ptrdiff_t>(end_));
    for (size_t slot = 0; slot < end_; ++slot) {
      if (taken_[slot] == 0) out.by_slot[slot].reset();
    }
  }
  out.by_slot.resize(std::max(end_, next_free_));
  std::vector<HostAtAddress> came;
  for (const auto& [identity, host] : added_) came.emplace_back(identity.address.hash(), host->slot());
  std::sort(came.begin(), came.end());
  out.by_address.reserve(out.count);
  const std::span<const HostAtAddress> before =
      previous_ ? std::span(previous_->by_address) : std::span<const HostAtAddress>();
  auto next = before.begin();
  const auto takeUntil = [&](auto end) {
    std::copy_if(next, end, std::back_inserter(out.by_address),
                 [this](const HostAtAddress& each) { return taken_[each.second] != 0; });
    next = end;
  };
  for (const HostAtAddress& each : came) {
    takeUntil(std::lower_bound(next, before.end(), each));
    out.by_address.push_back(each);
  }
  takeUntil(before.end());
}

}  // namespace sluice::upstream::cluster
