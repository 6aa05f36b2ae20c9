// Slow start: a host that came a short while ago gets a part of its weight, which grows with time.
// (proto: SlowStartConfig)
//
// A host comes when it is first known, and again when active checks find it healthy that had found it not to be.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "source/upstream/lb/policy.h"

namespace sluice::upstream::lb {

struct SlowStart {
  // Less than this is not a share that a schedule could serve: the host would wait for a hundred turns of the others.
  static constexpr double kLeastFactor = 0.01;

  std::chrono::milliseconds window{0};  // 0: there is none
  double aggression = 1.0;              // above 0; 1: the weight grows evenly
  double least_factor = 0.1;            // of the weight, 0 to 1

  bool on() const { return window.count() > 0; }
  // What the weight of a host that came at `since` is multiplied by.
  double factor(event::TimePoint since, event::TimePoint now) const {
    if (now - since >= window) return 1.0;
    const double passed = std::chrono::duration<double>(now - since) / std::chrono::duration<double>(window);
    const double grown = std::pow(std::clamp(passed, 0.0, 1.0), 1.0 / aggression);
    return std::max({grown, least_factor, kLeastFactor});
  }
};

// When hosts came, by slot.
struct SlowStartTables final : LbTables {
  explicit SlowStartTables(const cluster::HostSet& hosts) : since(hosts.slotCount()) {
    for (const cluster::HostSet::Entry& entry : hosts.entries()) {
      since[entry.host->slot()] = entry.host->monitor().inServiceSince();
    }
  }
  // Null where nobody asks.
  static std::shared_ptr<const LbTables> of(const SlowStart& settings, const cluster::HostSet& hosts) {
    return settings.on() ? std::make_shared<const SlowStartTables>(hosts) : nullptr;
  }

  std::vector<event::TimePoint> since;
};

// What a picker keeps of it for one group of hosts.
class SlowStarters {
 public:
  // `tables`: null, or SlowStartTables.
  void prepare(const SlowStart& settings, const cluster::HostSet::Group& group, const LbTables* tables) {
    tables_ = static_cast<const SlowStartTables*>(tables);
    until_ = event::TimePoint::min();
    if (tables_ == nullptr) return;
    for (const cluster::HostSet::Member& member : group.members) {
      until_ = std::max(until_, tables_->since[member.slot] + settings.window);
    }
  }

  // Whether some host has less than its weight now. Not any more once it was false.
  bool any(event::TimePoint now) const { return tables_ != nullptr && now < until_; }
  double factor(const SlowStart& settings, cluster::HostSlot slot, event::TimePoint now) const {
    return any(now) ? settings.factor(tables_->since[slot], now) : 1.0;
  }

 private:
  const SlowStartTables* tables_ = nullptr;
  event::TimePoint until_ = event::TimePoint::min();
};

}  // namespace sluice::upstream::lb
