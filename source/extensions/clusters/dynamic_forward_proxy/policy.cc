#include "source/extensions/clusters/dynamic_forward_proxy/policy.h"

#include <algorithm>

#include "source/dns_cache/host_name.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {

using dns_cache::AddressGuard;
using dns_cache::ResolvedHost;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::LbContext;

Picker::Picker(const dns_cache::DnsCache& cache, upstream::lb::LbWorker& worker)
    : cache_(cache), worker_(worker), start_(worker.random.next()), sweep_(worker.timers, [this] { sweep(); }) {}

Picker::~Picker() {
  worker_.cells.sub(worker_.stats.membership_total, worker_.hosts.madeCount());
  worker_.cells.sub(worker_.stats.membership_healthy, worker_.hosts.madeCount());
}

// The head may have changed since the name was looked up.
bool Picker::fits(const ResolvedHost* resolved, const LbContext& context) const {
  if (resolved == nullptr || resolved->cache != &cache_ || resolved->addresses.empty()) return false;
  return context.headers == nullptr || dns_cache::names(context.headers->authority, resolved->name);
}

HostSlot Picker::pick(const LbContext& context) {
  const ResolvedHost* const resolved = context.resolvedHost();
  if (!fits(resolved, context)) return kNoHost;
  const net::Address& wanted = resolved->addresses[(start_ + context.repicked) % resolved->addresses.size()];
  Slots& slots = by_name_[resolved->name.key];
  const auto known = std::find_if(slots.begin(), slots.end(),
                                  [&](HostSlot slot) { return worker_.hosts.hostPtr(slot)->address() == wanted; });
  const HostSlot slot = known != slots.end() ? *known : make(slots, *resolved, wanted);
  if (slot != kNoHost) used_[slot] = true;
  return slot;
}

HostSlot Picker::make(Slots& slots, const ResolvedHost& resolved, const net::Address& address) {
  const bool allowed = cache_.settings().guard.check(address) == AddressGuard::Verdict::kAllowed;
  if (!allowed || worker_.hosts.madeCount() >= kMaxHosts) {
    if (slots.empty()) by_name_.erase(resolved.name.key);
    return kNoHost;
  }
  const HostSlot slot = worker_.hosts.make(address, resolved.name.host);
  if (used_.size() <= slot) used_.resize(slot + 1);
  slots.push_back(slot);
  worker_.cells.add(worker_.stats.membership_total);
  worker_.cells.add(worker_.stats.membership_healthy);
  if (!sweep_.armed()) sweep_.arm(cache_.settings().host_ttl);
  return slot;
}

void Picker::sweep() {
  absl::erase_if(by_name_, [this](auto& entry) {
    std::erase_if(entry.second, [this](HostSlot slot) {
      const bool used = used_[slot];
      used_[slot] = false;
      if (used || worker_.hosts.activeRequests(slot) > 0) return false;
      worker_.hosts.forget(slot);
      worker_.cells.sub(worker_.stats.membership_total);
      worker_.cells.sub(worker_.stats.membership_healthy);
      return true;
    });
    return entry.second.empty();
  });
  if (!by_name_.empty()) sweep_.arm(cache_.settings().host_ttl);
}

}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
