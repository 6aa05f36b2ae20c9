#include "source/extensions/clusters/original_dst/policy.h"

#include <optional>
#include <string_view>

namespace sluice::extensions::clusters::original_dst {

using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::LbContext;

Picker::Picker(const Settings& settings, upstream::lb::LbWorker& worker)
    : settings_(settings), worker_(worker), sweep_(worker.timers, [this] { sweep(); }) {}

Picker::~Picker() {
  worker_.cells.sub(worker_.stats.membership_total, by_address_.size());
  worker_.cells.sub(worker_.stats.membership_healthy, by_address_.size());
}

// A header that is there decides alone: who wrote it meant no other address.
net::Address Picker::target(const LbContext& context, const net::Address& destination) const {
  net::Address target = destination;
  if (!settings_.header.empty() && context.headers != nullptr) {
    const std::optional<std::string_view> text = settings_.header == ":authority"
                                                     ? std::optional(context.headers->authority)
                                                     : context.headers->get(settings_.header);
    if (text) target = net::Address::parse(*text).value_or(net::Address());
  }
  if (!target.isIp()) return {};
  return settings_.port_override == 0 ? target : target.withPort(settings_.port_override);
}

HostSlot Picker::pick(const LbContext& context) {
  const upstream::lb::Destination destination = context.destination();
  const net::Address wanted = target(context, destination.address);
  const bool back_here = !destination.redirected && wanted == destination.address;
  if (!wanted || wanted.port() == 0 || wanted.isAny() || back_here) {
    worker_.cells.add(worker_.stats.host_invalid);
    return kNoHost;
  }
  if (const auto known = by_address_.find(wanted); known != by_address_.end()) {
    used_[known->second] = true;
    return known->second;
  }
  if (by_address_.size() >= kMaxHosts) return kNoHost;
  const HostSlot slot = worker_.hosts.make(wanted);
  if (used_.size() <= slot) used_.resize(slot + 1);
  used_[slot] = true;
  by_address_.emplace(wanted, slot);
  worker_.cells.add(worker_.stats.membership_total);
  worker_.cells.add(worker_.stats.membership_healthy);
  if (!sweep_.armed()) sweep_.arm(settings_.cleanup_interval);
  return slot;
}

void Picker::sweep() {
  for (HostSlot slot = 0; slot < used_.size(); ++slot) {
    const upstream::cluster::HostPtr& host = worker_.hosts.hostPtr(slot);
    const bool used = used_[slot];
    used_[slot] = false;
    if (!host || used || worker_.hosts.activeRequests(slot) > 0) continue;
    by_address_.erase(host->address());
    worker_.hosts.forget(slot);
    worker_.cells.sub(worker_.stats.membership_total);
    worker_.cells.sub(worker_.stats.membership_healthy);
  }
  if (!by_address_.empty()) sweep_.arm(settings_.cleanup_interval);
}

}  // namespace sluice::extensions::clusters::original_dst
