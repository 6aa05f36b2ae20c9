#include "source/upstream/lb/load_balancer.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sluice::upstream::lb {

using cluster::HostSet;
using cluster::HostSlot;
using cluster::kNoHost;

namespace {

class RoundRobin : public LoadBalancer {
 public:
  explicit RoundRobin(uint64_t seed) : LoadBalancer(seed) {}

 private:
  void prepare(GroupState& state) override {
    state.next = random_.below(state.group->members.size());
    if (!state.group->equal_weights) scheduleByWeight(state);
  }

  HostSlot pickFrom(GroupState& state) override {
    const std::vector<HostSet::Member>& members = state.group->members;
    if (!state.group->equal_weights) {
      const HostSet::Member& member = members[state.schedule.top()];
      state.schedule.reschedule(1.0 / member.weight);
      return member.slot;
    }
    const HostSlot slot = members[state.next].slot;
    if (++state.next == members.size()) state.next = 0;
    return slot;
  }
};

class LeastRequest : public LoadBalancer {
 public:
  LeastRequest(const cluster::LbConfig& config, uint64_t seed)
      : LoadBalancer(seed), choice_count_(config.choice_count), bias_(config.active_request_bias) {}

 private:
  void prepare(GroupState& state) override {
    if (!state.group->equal_weights) scheduleByWeight(state);
  }

  HostSlot pickFrom(GroupState& state) override {
    const std::vector<HostSet::Member>& members = state.group->members;
    if (!state.group->equal_weights) {
      const HostSet::Member& member = members[state.schedule.top()];
      state.schedule.reschedule(cost(active_[member.slot]) / member.weight);
      return member.slot;
    }
    HostSlot best = members[random_.below(members.size())].slot;
    for (uint32_t i = 1; i < choice_count_; ++i) {
      const HostSlot other = members[random_.below(members.size())].slot;
      if (active_[other] < active_[best]) best = other;
    }
    return best;
  }

  double cost(uint32_t active) const {
    if (bias_ == 1.0) return active + 1.0;
    if (bias_ == 0.0) return 1.0;
    return std::pow(active + 1.0, bias_);
  }

  const uint32_t choice_count_;
  const double bias_;
};

class RandomBalancer : public LoadBalancer {
 public:
  explicit RandomBalancer(uint64_t seed) : LoadBalancer(seed) {}

 private:
  void prepare(GroupState& state) override {
    if (state.group->equal_weights) return;
    uint64_t sum = 0;
    for (const HostSet::Member& member : state.group->members) state.cumulative.push_back(sum += member.weight);
  }

  HostSlot pickFrom(GroupState& state) override {
    const std::vector<HostSet::Member>& members = state.group->members;
    if (state.group->equal_weights) return members[random_.below(members.size())].slot;
    const uint64_t point = random_.below(state.cumulative.back());
    const auto at = std::upper_bound(state.cumulative.begin(), state.cumulative.end(), point);
    return members[static_cast<size_t>(at - state.cumulative.begin())].slot;
  }
};

}  // namespace

std::unique_ptr<LoadBalancer> LoadBalancer::make(const cluster::LbConfig& config, uint64_t seed) {
  switch (config.policy) {
    case cluster::LbPolicy::kRoundRobin:
      break;
    case cluster::LbPolicy::kLeastRequest:
      return std::make_unique<LeastRequest>(config, seed);
    case cluster::LbPolicy::kRandom:
      return std::make_unique<RandomBalancer>(seed);
  }
  return std::make_unique<RoundRobin>(seed);
}

void LoadBalancer::update(cluster::HostSetPtr hosts) {
  std::vector<uint32_t> active(hosts->slotCount(), 0);
  for (HostSlot slot = 0; slot < active.size() && slot < active_.size(); ++slot) {
    const bool stays = hosts->host(slot) != nullptr && hosts->host(slot) == hosts_->host(slot);
    if (stays) active[slot] = active_[slot];
  }
  active_ = std::move(active);
  hosts_ = std::move(hosts);

  tiers_.clear();
  tiers_.reserve(hosts_->tiers().size());
  uint32_t percent = 0;
  for (const HostSet::Tier& tier : hosts_->tiers()) {
    TierState& state = tiers_.emplace_back();
    state.percent_up_to = percent += tier.percent;
    state.panic = tier.panic;
    state.groups.resize(tier.groups.size());
    for (uint32_t i = 0; i < tier.groups.size(); ++i) {
      state.groups[i].group = &tier.groups[i];
      prepare(state.groups[i]);
      if (tier.groups.size() > 1) {
        state.group_schedule.add(i, random_.fraction() / static_cast<double>(tier.groups[i].weight));
      }
    }
  }
}

HostSlot LoadBalancer::pick() {
  if (tiers_.empty()) return kNoHost;
  TierState& tier = pickTier();
  if (tier.panic && cells_ != nullptr) cells_->add(panics_);
  return pickFrom(pickGroup(tier));
}

LoadBalancer::TierState& LoadBalancer::pickTier() {
  if (tiers_.size() == 1) return tiers_.front();
  const uint64_t point = random_.below(100);
  for (TierState& tier : tiers_) {
    if (point < tier.percent_up_to) return tier;
  }
  return tiers_.back();
}

LoadBalancer::GroupState& LoadBalancer::pickGroup(TierState& tier) {
  if (tier.groups.size() == 1) return tier.groups.front();
  GroupState& group = tier.groups[tier.group_schedule.top()];
  tier.group_schedule.reschedule(1.0 / static_cast<double>(group.group->weight));
  return group;
}

void LoadBalancer::scheduleByWeight(GroupState& state) {
  const std::vector<HostSet::Member>& members = state.group->members;
  state.schedule.reserve(members.size());
  for (uint32_t i = 0; i < members.size(); ++i) {
    state.schedule.add(i, random_.fraction() / members[i].weight);
  }
}

}  // namespace sluice::upstream::lb
