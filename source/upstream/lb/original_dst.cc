#include "source/upstream/lb/original_dst.h"

#include <utility>

namespace sluice::upstream::lb {

using cluster::HostSlot;
using cluster::kNoHost;

OriginalDst::OriginalDst(event::TimerQueue& timers, const cluster::OriginalDstConfig& config,
                         observability::StatsCells& cells, const Stats& stats, std::function<void(HostSlot)> on_gone)
    : config_(config), cells_(cells), stats_(stats), on_gone_(std::move(on_gone)), sweep_(timers, [this] {
        sweep();
      }) {}

OriginalDst::~OriginalDst() {
  const auto count = static_cast<int64_t>(by_address_.size());
  cells_.sub(stats_.membership_total, count);
  cells_.sub(stats_.membership_healthy, count);
}

// A header that is there decides alone: who wrote it meant no other address.
net::Address OriginalDst::target(const Asker& asker) const {
  net::Address target = asker.destination;
  if (!config_.header.empty() && asker.request != nullptr) {
    const std::optional<std::string_view> text =
        config_.header == ":authority" ? std::optional(asker.request->authority) : asker.request->get(config_.header);
    if (text) target = net::Address::parse(*text).value_or(net::Address());
  }
  if (!target.isIp()) return {};
  return config_.port_override == 0 ? target : target.withPort(config_.port_override);
}

HostSlot OriginalDst::pick(const Asker& asker) {
  const net::Address wanted = target(asker);
  const bool back_here = !asker.redirected && wanted == asker.destination;
  if (!wanted || wanted.port() == 0 || wanted.isAny() || back_here) {
    cells_.add(stats_.host_invalid);
    return kNoHost;
  }
  if (const auto known = by_address_.find(wanted); known != by_address_.end()) {
    hosts_[known->second].used = true;
    return known->second;
  }
  if (by_address_.size() >= kMaxHosts) return kNoHost;
  HostSlot slot = static_cast<HostSlot>(hosts_.size());
  if (free_.empty()) {
    hosts_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  hosts_[slot] = {std::make_shared<const cluster::Host>(wanted, std::string(), slot), 0, true};
  by_address_.emplace(wanted, slot);
  cells_.add(stats_.membership_total);
  cells_.add(stats_.membership_healthy);
  if (!sweep_.armed()) sweep_.arm(config_.cleanup_interval);
  return slot;
}

void OriginalDst::sweep() {
  for (HostSlot slot = 0; slot < hosts_.size(); ++slot) {
    Entry& entry = hosts_[slot];
    if (!entry.host || std::exchange(entry.used, false) || entry.active > 0) continue;
    on_gone_(slot);
    by_address_.erase(entry.host->address());
    entry.host.reset();
    free_.push_back(slot);
    cells_.sub(stats_.membership_total);
    cells_.sub(stats_.membership_healthy);
  }
  if (!by_address_.empty()) sweep_.arm(config_.cleanup_interval);
}

}  // namespace sluice::upstream::lb
