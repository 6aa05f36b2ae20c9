#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/stride_schedule.h"
#include "source/upstream/lb/tiered_picker.h"

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;

// Reorders them; there is one at least.
double medianOf(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return values.size() % 2 == 1 ? *middle : (*std::max_element(values.begin(), middle) + *middle) / 2;
}

struct State {
  std::optional<StrideSchedule> schedule;  // set
  upstream::lb::SlowStarters slow;
  event::TimePoint fresh_until;
};

class Picker final : public upstream::lb::TieredPicker<Picker, State> {
 public:
  Picker(upstream::lb::LbWorker& worker, const Settings& settings) : TieredPicker(worker), settings_(settings) {}

  void prepare(Group& group, const upstream::lb::LbTables* tables, size_t tier, size_t index) {
    const size_t count = group.hosts->members.size();
    group.schedule.emplace(count, worker_.random.next());
    group.slow.prepare(settings_.slow_start, tables, tier, index);
    weights_.reserve(count);
    known_.reserve(count);
    refresh(group, worker_.timers.now());
  }

  HostSlot pickFrom(Group& group, const upstream::lb::LbContext&) {
    const event::TimePoint now = worker_.timers.now();
    if (now >= group.fresh_until) refresh(group, now);
    return group.hosts->members[group.schedule->next()].slot;
  }

 private:
  void refresh(Group& group, event::TimePoint now) {
    weights_.clear();
    known_.clear();
    for (const HostSet::Member& member : group.hosts->members) {
      weights_.push_back(reported(member.slot, now));
      if (weights_.back() > 0) known_.push_back(weights_.back());
    }
    const double median = known_.empty() ? 1.0 : medianOf(known_);
    for (size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] == 0) weights_[i] = median;
      weights_[i] *= group.slow.factor(settings_.slow_start, i, now);
    }
    group.schedule->setWeights(weights_);
    group.fresh_until = now + settings_.update_period;
  }
  // 0: nothing that counts.
  double reported(HostSlot slot, event::TimePoint now) const {
    const upstream::lb::LoadWeights::Settings& settings = settings_.weights;
    upstream::cluster::HostMonitor& monitor = worker_.hosts.hostPtr(slot)->monitor();
    return monitor.loadWeight().at(now, settings.blackout, settings.expiration).value_or(0);
  }

  const Settings& settings_;
  std::vector<double> weights_, known_;  // scratch
};

}  // namespace

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker, settings_);
}

}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
