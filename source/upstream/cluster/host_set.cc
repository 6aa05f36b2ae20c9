#include "source/upstream/cluster/host_set.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "source/upstream/cluster/host_matcher.h"

namespace sluice::upstream::cluster {

namespace {

// Slots of each priority.
class PrioritySlots {
 public:
  // `count`: of slots, about.
  explicit PrioritySlots(size_t count) : count_(count) {}

  // False: it is there already.
  bool insert(uint32_t priority, HostSlot slot) {
    if (slots_.size() <= priority) slots_.resize(priority + 1);
    std::vector<uint8_t>& slots = slots_[priority];
    if (slots.size() <= slot) slots.resize(std::max<size_t>(slot + 1, count_));
    return std::exchange(slots[slot], 1) == 0;
  }

 private:
  const size_t count_;
  std::vector<std::vector<uint8_t>> slots_;  // 1: it is there
};

bool healthy(const HostSet::Entry& entry) {
  return entry.health == Health::kHealthy;
}
bool degraded(const HostSet::Entry& entry) {
  return entry.health == Health::kDegraded;
}
bool any(const HostSet::Entry&) {
  return true;
}

std::shared_ptr<const std::vector<Locality>> localitiesOf(const Assignment& assignment) {
  auto out = std::make_shared<std::vector<Locality>>();
  out->reserve(assignment.localities.size());
  for (const LocalityEndpoints& each : assignment.localities) out->push_back(each.locality);
  return out;
}

struct Priority {
  std::vector<const HostSet::Entry*> entries;
  size_t counted = 0;  // those that are not excluded
  size_t healthy_count = 0;
  size_t degraded_count = 0;
  uint32_t healthy_percent = 0;   // availability after overprovisioning
  uint32_t degraded_percent = 0;  // same
  uint32_t healthy_load = 0;
  uint32_t degraded_load = 0;
  bool panic = false;
};

}  // namespace

// Splits traffic over priorities and makes the tiers. One use.
class TierBuilder {
 public:
  TierBuilder(const HostSet::Shape& shape, const std::vector<HostSet::Entry>& entries)
      : shape_(shape), options_(shape.options) {
    for (const HostSet::Entry& entry : entries) {
      if (priorities_.size() <= entry.priority) priorities_.resize(entry.priority + 1);
      Priority& priority = priorities_[entry.priority];
      priority.entries.push_back(&entry);
      priority.counted += !entry.excluded;
      priority.healthy_count += healthy(entry);
      priority.degraded_count += degraded(entry);
    }
  }

  std::optional<ZoneObstacle> zoneObstacle() const { return zone_obstacle_; }

  std::vector<HostSet::Tier> build() {
    findAvailability();
    splitLoad();
    findPanic();
    for (size_t i = 0; i < priorities_.size(); ++i) {
      const auto priority = static_cast<uint32_t>(i);
      addTier(priority, priorities_[i].healthy_load, priorities_[i].panic ? any : healthy);
    }
    for (size_t i = 0; i < priorities_.size(); ++i) {
      const auto priority = static_cast<uint32_t>(i);
      addTier(priority, priorities_[i].degraded_load, priorities_[i].panic ? any : degraded);
    }
    giveRestToFirst();
    return std::move(tiers_);
  }

  // Behind those of build(): what has hosts and no traffic, in the same order.
  void addSpare(std::vector<HostSet::Tier>& tiers) {
    if (tiers.empty() || priorities_.size() < 2) return;
    tiers_ = std::move(tiers);
    for (size_t i = 0; i < priorities_.size(); ++i) {
      const Priority& each = priorities_[i];
      if (each.healthy_load == 0 && each.healthy_percent > 0) makeTier(static_cast<uint32_t>(i), 0, healthy);
    }
    for (size_t i = 0; i < priorities_.size(); ++i) {
      const Priority& each = priorities_[i];
      if (each.panic || each.degraded_load > 0 || each.degraded_percent == 0) continue;
      makeTier(static_cast<uint32_t>(i), 0, degraded);
    }
    tiers = std::move(tiers_);
  }

 private:
  using Filter = bool (*)(const HostSet::Entry&);

  void findAvailability() {
    for (Priority& priority : priorities_) {
      if (priority.counted == 0) continue;
      const uint64_t factor = shape_.overprovisioning_factor;
      const uint64_t total = priority.counted;
      priority.healthy_percent =
          static_cast<uint32_t>(std::min<uint64_t>(100, factor * priority.healthy_count / total));
      priority.degraded_percent =
          static_cast<uint32_t>(std::min<uint64_t>(100, factor * priority.degraded_count / total));
      sum_ += priority.healthy_percent + priority.degraded_percent;
    }
    sum_ = std::min(sum_, 100u);
  }

  // Healthy hosts of all priorities in order, then degraded ones. Rounding may leave a little: see giveRestToFirst.
  void splitLoad() {
    if (sum_ == 0) return;
    uint32_t left = 100;
    auto give = [&](uint32_t& load, uint32_t availability) {
      load = std::min(left, availability * 100 / sum_);
      left -= load;
    };
    for (Priority& priority : priorities_) give(priority.healthy_load, priority.healthy_percent);
    for (Priority& priority : priorities_) give(priority.degraded_load, priority.degraded_percent);
  }

  void findPanic() {
    if (sum_ == 100 || options_.panic_threshold <= 0) return;
    bool all = true;
    for (Priority& priority : priorities_) {
      if (priority.entries.empty()) continue;
      const double available = 100.0 * static_cast<double>(priority.healthy_count + priority.degraded_count) /
                               static_cast<double>(std::max<size_t>(priority.counted, 1));
      priority.panic = available < options_.panic_threshold;
      all = all && priority.panic;
    }
    if (all) spreadByHostCount();
  }

  void spreadByHostCount() {
    size_t total = 0;
    for (const Priority& priority : priorities_) total += priority.entries.size();
    for (Priority& priority : priorities_) {
      priority.degraded_load = 0;
      priority.healthy_load = total == 0 ? 0 : static_cast<uint32_t>(100 * priority.entries.size() / total);
    }
  }

  void addTier(uint32_t priority, uint32_t percent, Filter filter) {
    if (percent > 0) makeTier(priority, percent, filter);
  }

  void makeTier(uint32_t priority, uint32_t percent, Filter filter) {
    HostSet::Tier tier{percent, priority, priorities_[priority].panic, {}, availabilityOf(priority, filter)};
    tier.fails = tier.panic && options_.fail_on_panic;
    if (options_.locality_weighted && !tier.panic) addLocalityGroups(tier, filter);
    if (options_.zones && shape_.local && filter == healthy && priority == 0) addZoneGroups(tier);
    // Also where no locality with a weight has such a host.
    if (tier.groups.empty()) addGroupOfAll(tier, filter);
    for (HostSet::Group& group : tier.groups) {
      const uint32_t weight = group.members.front().weight;
      group.equal_weights = std::all_of(group.members.begin(), group.members.end(),
                                        [&](auto& member) { return member.weight == weight; });
    }
    if (!tier.groups.empty()) tiers_.push_back(std::move(tier));
  }

  void addGroupOfAll(HostSet::Tier& tier, Filter filter) {
    HostSet::Group group{{}, 1, true};
    group.members.reserve(priorities_[tier.priority].entries.size());
    for (const HostSet::Entry* entry : priorities_[tier.priority].entries) {
      if (filter(*entry)) group.members.push_back({entry->host->slot(), entry->weight});
    }
    if (!group.members.empty()) tier.groups.push_back(std::move(group));
  }

  uint32_t availabilityOf(uint32_t priority, Filter filter) const {
    const Priority& of = priorities_[priority];
    if (filter == any) return std::min(100u, of.healthy_percent + of.degraded_percent);
    return filter == healthy ? of.healthy_percent : of.degraded_percent;
  }

  // A locality's weight shrinks with the share of its hosts that is available (after overprovisioning).
  void addLocalityGroups(HostSet::Tier& tier, Filter filter) {
    struct Part {
      uint64_t weight = 0;
      size_t total = 0;
      std::vector<HostSet::Member> members;
    };
    std::map<Locality, Part> parts;
    for (const HostSet::Shape::LocalityWeight& locality : shape_.localities) {
      if (locality.priority == tier.priority) parts[locality.locality].weight += locality.weight;
    }
    for (const HostSet::Entry* entry : priorities_[tier.priority].entries) {
      Part& part = parts[*entry->locality];
      part.total += !entry->excluded;
      if (filter(*entry)) part.members.push_back({entry->host->slot(), entry->weight});
    }
    uint64_t assigned = 0;
    for (auto& [locality, part] : parts) {
      assigned += part.total > 0 ? part.weight : 0;
      if (part.weight == 0 || part.members.empty()) continue;
      const double available = static_cast<double>(part.members.size()) / static_cast<double>(part.total);
      const double effective =
          static_cast<double>(part.weight) * std::min(1.0, shape_.overprovisioning_factor / 100.0 * available);
      tier.groups.push_back({std::move(part.members), effective, true, static_cast<uint32_t>(part.weight)});
    }
    if (!tier.groups.empty()) tier.assigned_weight = assigned;
  }

  // Healthy hosts of priority 0, where there is no panic.
  void addZoneGroups(HostSet::Tier& tier) {
    ZoneMap zones;
    std::map<Locality, std::vector<HostSet::Member>> members;
    for (const HostSet::Entry* entry : priorities_[tier.priority].entries) {
      ZoneHosts& zone = zones[*entry->locality];
      if (!healthy(*entry)) continue;
      ++zone.healthy;
      zone.weight += entry->weight;
      members[*entry->locality].push_back({entry->host->slot(), entry->weight});
    }
    if (members.empty()) return;
    const ZoneShares split = splitByZones(*options_.zones, *shape_.local, zones, options_.panic_threshold);
    zone_obstacle_ = split.obstacle;
    for (const ZoneShares::Share& share : split.shares) {
      if (share.zone == nullptr) {
        addGroupOfAll(tier, healthy);
      } else {
        tier.groups.push_back({std::move(members[*share.zone]), 1, true});
      }
      HostSet::Group& group = tier.groups.back();
      group.weight = share.weight;
      group.route = share.route;
      group.fails = share.route == ZoneRoute::kLocalClusterNotOk && options_.fail_on_panic;
    }
  }

  // What rounding left.
  void giveRestToFirst() {
    uint32_t sum = 0;
    for (const HostSet::Tier& tier : tiers_) sum += tier.percent;
    if (!tiers_.empty()) tiers_.front().percent += 100 - sum;
  }

  const HostSet::Shape& shape_;
  const HostSetOptions& options_;
  std::vector<Priority> priorities_;
  std::vector<HostSet::Tier> tiers_;
  uint32_t sum_ = 0;  // of all availabilities, at most 100
  std::optional<ZoneObstacle> zone_obstacle_;
};

std::shared_ptr<const HostSet> HostSet::build(const Assignment& assignment, const HostSetOptions& options,
                                              const HostSet* previous, HostMonitors* monitors, LocalZonesPtr local) {
  auto set = std::make_shared<HostSet>(Private{});
  set->shape_ = {options, assignment.overprovisioning_factor, {}, std::move(local)};
  std::vector<const HostPtr*> known = hostsOf(assignment, previous);
  set->entries_.reserve(known.size());
  set->wanted_.resize(known.size());
  PrioritySlots seen(known.size());
  RosterBuilder roster(std::move(known), previous != nullptr ? previous->roster_ : nullptr, monitors);
  set->localities_ = localitiesOf(assignment);
  for (size_t i = 0; i < assignment.localities.size(); ++i) {
    const LocalityEndpoints& locality = assignment.localities[i];
    for (const Endpoint& endpoint : locality.endpoints) {
      if (!endpoint.address) continue;
      HostPtr host = roster.next(endpoint);
      if (!seen.insert(locality.priority, host->slot())) continue;
      if (!endpoint.additional.empty()) set->noteAddresses(endpoint, host->slot());
      set->addEntry(std::move(host), endpoint, locality.priority, (*set->localities_)[i]);
    }
  }
  set->roster_ = roster.finish();
  set->host_count_ = set->roster_->count;
  set->drop_per_million_ = assignment.drop_per_million;
  set->drop_categories_ = assignment.drop_categories;
  if (options.locality_weighted) set->countLocalities(assignment);
  set->notePriorities();
  set->split();
  return set;
}

void HostSet::addEntry(HostPtr host, const Endpoint& endpoint, uint32_t priority, const Locality& locality) {
  const HostMonitor& monitor = host->monitor();
  const Health health = monitor.health(endpoint.health);
  const bool unchecked = shape_.options.exclude_unchecked && monitor.pending();
  const bool excluded = health > Health::kDegraded && (unchecked || monitor.excluded());
  const bool failed = monitor.health(Health::kHealthy) > Health::kDegraded;
  std::shared_ptr<const EndpointCheck> check;
  if (!endpoint.check.plain()) check = std::make_shared<const EndpointCheck>(endpoint.check);
  entries_.push_back({std::move(host), &locality, endpoint.weight, priority, health, endpoint.health, std::move(check),
                      excluded, endpoint.leaving, failed});
  noteWanted(entries_.back());
}

void HostSet::countLocalities(const Assignment& assignment) {
  std::map<std::pair<uint32_t, Locality>, size_t> hosts;
  for (const Entry& entry : entries_) ++hosts[{entry.priority, *entry.locality}];
  for (const LocalityEndpoints& each : assignment.localities) {
    shape_.localities.push_back({each.locality, each.priority, each.weight, hosts[{each.priority, each.locality}]});
  }
}

// What a host is besides, does not matter while it fails.
void HostSet::noteWanted(const Entry& entry) {
  const HealthMask is = maskOf(entry.failed ? Health::kUnhealthy : entry.health);
  if ((is & shape_.options.wanted_health) == 0) return;
  const HostSlot slot = entry.host->slot();
  if (wanted_.size() <= slot) wanted_.resize(slot + 1);
  wanted_[slot] = 1;
}

void HostSet::split() {
  TierBuilder builder(shape_, entries_);
  tiers_ = builder.build();
  zone_obstacle_ = builder.zoneObstacle();
  loaded_ = tiers_.size();
  builder.addSpare(tiers_);
}

void HostSet::noteAddresses(const Endpoint& endpoint, HostSlot slot) {
  std::vector<net::Address> all{endpoint.address};
  all.insert(all.end(), endpoint.additional.begin(), endpoint.additional.end());
  if (addresses_.size() <= slot) addresses_.resize(slot + 1);
  addresses_[slot] = net::inOrder(all, shape_.options.families);
}

void HostSet::notePriorities() {
  const auto other = [](const Entry& entry) { return entry.priority > 0; };
  if (std::none_of(entries_.begin(), entries_.end(), other)) return;
  priorities_.assign(slotCount(), UINT8_MAX);
  for (const Entry& entry : entries_) {
    uint8_t& priority = priorities_[entry.host->slot()];
    priority = std::min(priority, static_cast<uint8_t>(entry.priority));
  }
}

bool HostSet::hasOthers(const base::PrioritySet& priorities) const {
  return std::any_of(tiers_.begin(), tiers_.end(), [&priorities](const Tier& tier) {
    return tier.availability > 0 && !priorities.test(tier.priority);
  });
}

std::shared_ptr<const HostSet> HostSet::subset(std::span<const uint32_t> entries, SubsetLocalities localities) const {
  auto set = std::make_shared<HostSet>(Private{});
  set->shape_ = shape_;
  set->shape_.options.locality_weighted &= localities != SubsetLocalities::kIgnored;
  set->roster_ = roster_;
  set->localities_ = localities_;
  std::map<std::pair<uint32_t, Locality>, size_t> hosts;
  std::unordered_set<HostSlot> seen;
  for (const uint32_t index : entries) {
    const Entry& entry = set->entries_.emplace_back(entries_[index]);
    const HostSlot slot = entry.host->slot();
    set->noteWanted(entry);
    if (localities == SubsetLocalities::kScaled) ++hosts[{entry.priority, *entry.locality}];
    seen.insert(slot);
  }
  set->host_count_ = seen.size();
  if (localities == SubsetLocalities::kScaled) {
    for (Shape::LocalityWeight& each : set->shape_.localities) {
      const size_t part = hosts[{each.priority, each.locality}];
      if (part == 0) continue;
      each.weight = std::max<uint64_t>(each.weight > 0, (each.weight * part + each.hosts / 2) / each.hosts);
    }
  }
  set->split();
  return set;
}

HostSlot HostSet::availableAt(const net::Address& address) const {
  const auto wanted = [&](HostSlot slot) {
    return slot < wanted_.size() && wanted_[slot] != 0 && roster_->by_slot[slot]->address() == address;
  };
  const size_t hash = address.hash();
  const auto& by_address = roster_->by_address;
  auto at = std::lower_bound(by_address.begin(), by_address.end(), std::pair(hash, HostSlot{0}));
  for (; at != by_address.end() && at->first == hash; ++at) {
    if (wanted(at->second)) return at->second;
  }
  return kNoHost;
}

size_t HostSet::countWithHealth(Health health) const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.health == health; }));
}

size_t HostSet::countExcluded() const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.excluded; }));
}

bool sameHosts(const HostSet& before, const HostSet& after) {
  if (&before.roster() == &after.roster()) return true;
  for (size_t slot = std::max(before.slotCount(), after.slotCount()); slot-- > 0;) {
    if (before.host(static_cast<HostSlot>(slot)) != after.host(static_cast<HostSlot>(slot))) return false;
  }
  return true;
}

std::vector<HostPtr> removedHosts(const HostSet& before, const HostSet& after) {
  std::vector<HostPtr> removed;
  if (&before.roster() == &after.roster()) return removed;
  for (HostSlot slot = 0; slot < before.slotCount(); ++slot) {
    const HostPtr& host = before.hostPtr(slot);
    if (host && after.host(slot) != host.get()) removed.push_back(host);
  }
  return removed;
}

}  // namespace sluice::upstream::cluster
