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

// When hosts came: of each member of each group. As much as the set has, however many slots there are: it may be one of
// many subsets.
struct SlowStartTables final : LbTables {
  explicit SlowStartTables(const cluster::HostSet& hosts) {
    for (const cluster::HostSet::Tier& tier : hosts.allTiers()) {
      auto& groups = since.emplace_back();
      for (const cluster::HostSet::Group& group : tier.groups) {
        std::vector<event::TimePoint>& members = groups.emplace_back();
        members.reserve(group.members.size());
        for (const cluster::HostSet::Member& member : group.members) {
          members.push_back(hosts.host(member.slot)->monitor().inServiceSince());
        }
      }
    }
  }
  // Null where nobody asks.
  static std::shared_ptr<const LbTables> of(const SlowStart& settings, const cluster::HostSet& hosts) {
    return settings.on() ? std::make_shared<const SlowStartTables>(hosts) : nullptr;
  }

  std::vector<std::vector<std::vector<event::TimePoint>>> since;  // by tier, group and member
};

// What a picker keeps of it for one group of hosts.
class SlowStarters {
 public:
  // `tables`: null, or SlowStartTables; `tier`, `group`: of which this is.
  void prepare(const SlowStart& settings, const LbTables* tables, size_t tier, size_t group) {
    since_ = nullptr;
    until_ = event::TimePoint::min();
    if (tables == nullptr) return;
    since_ = &static_cast<const SlowStartTables*>(tables)->since[tier][group];
    for (const event::TimePoint since : *since_) until_ = std::max(until_, since + settings.window);
  }

  // Whether some host has less than its weight now. Not any more once it was false.
  bool any(event::TimePoint now) const { return since_ != nullptr && now < until_; }
  // `member`: its index in the group.
  double factor(const SlowStart& settings, size_t member, event::TimePoint now) const {
    return any(now) ? settings.factor((*since_)[member], now) : 1.0;
  }

 private:
  const std::vector<event::TimePoint>* since_ = nullptr;  // of the tables; null: there are none
  event::TimePoint until_ = event::TimePoint::min();
};

}  // namespace sluice::upstream::lb
