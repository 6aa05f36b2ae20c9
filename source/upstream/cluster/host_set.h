// All hosts of a cluster at one moment: immutable, built on main, shared by all workers.
//
// It holds the compiled answer to "who may get the next request": tiers (one for each priority and availability that
// gets traffic) of groups (localities, or one for all) of members. Balancers pick a tier by its share, a group by its
// weight and a member by their policy.
//
// Priorities follow Envoy: a priority's availability is its share of healthy hosts times the overprovisioning factor
// (140%), at most 100%; traffic goes to priority 0 up to its availability, the rest spills over to the next, healthy
// hosts of all priorities before degraded ones. If the availabilities sum to less than 100%, a priority whose share of
// healthy and degraded hosts is below the panic threshold uses all its hosts; if all priorities are in panic, traffic
// is spread by their numbers of hosts. Excluded hosts (HostMonitor::excluded) are in no share. Threshold 0 switches
// panic off: then no available host means no host. With fail_on_panic a choice that falls to a priority in panic is for
// no host.
//
// Groups of the healthy hosts of priority 0 may be zones, with what routing by zones (zone_routing.h) gives them; a
// host may be in two groups then.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "source/base/priority_set.h"
#include "source/net/family_order.h"
#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/host.h"
#include "source/upstream/cluster/host_roster.h"
#include "source/upstream/cluster/zone_routing.h"

namespace sluice::upstream::cluster {

// One of several.
using HealthMask = uint8_t;
inline constexpr HealthMask maskOf(Health health) {
  return static_cast<HealthMask>(1u << static_cast<unsigned>(health));
}

struct HostSetOptions {
  // Below this share of available hosts (percent) all hosts of the priority are used. 0 switches panic off.
  double panic_threshold = 50.0;
  bool locality_weighted = false;  // localities share the traffic of their priority by their weights
  bool fail_on_panic = false;      // a priority that would use all its hosts takes none
  bool exclude_unchecked = false;  // hosts whose first check is not over are excluded
  net::FamilyOrder families = {};  // of the addresses of one host
  std::optional<ZoneAware> zones = {};
  // What a host is that may be taken because somebody wants it. (proto: CommonLbConfig.override_host_status)
  HealthMask wanted_health = maskOf(Health::kHealthy) | maskOf(Health::kDegraded);
};

class HostSet {
  struct Private {};

 public:
  explicit HostSet(Private) {}  // build() only

  // Small, for an update makes as many as there are hosts: what most hosts have in common is not a part of it.
  struct Entry {
    HostPtr host;
    const Locality* locality;  // of the set
    uint32_t weight;
    uint32_t priority;
    Health health;    // what counts: the worst of what the endpoint says and of what its monitor objects
    Health assigned;  // what the endpoint says
    std::shared_ptr<const EndpointCheck> own_check;  // null: a plain one
    bool excluded = false;                           // from what shares of healthy hosts are counted of
    bool leaving = false;                            // Endpoint::leaving
    bool failed = false;                             // by what its monitor was told, whatever the endpoint says

    const EndpointCheck& check() const {
      static const EndpointCheck kPlain;
      return own_check ? *own_check : kPlain;
    }
  };
  struct Member {
    HostSlot slot;
    uint32_t weight;
  };
  struct Group {
    std::vector<Member> members;   // never empty
    double weight;                 // share among the groups of the tier
    bool equal_weights;            // of the members
    uint32_t assigned_weight = 1;  // of the locality, as configured, however many of its hosts are available
    ZoneRoute route = ZoneRoute::kNone;
    bool fails = false;  // by panic of the local cluster: none of them may be taken
  };
  struct Tier {
    uint32_t percent;  // of the traffic, 1 to 100; 0: spare
    uint32_t priority;
    bool panic;                 // the members are all hosts, healthy or not
    std::vector<Group> groups;  // never empty
    uint32_t availability = 0;  // of all traffic, what its hosts could take: percent
    // Of all localities of the priority that have hosts, available or not, as configured.
    uint64_t assigned_weight = 1;
    bool fails = false;  // by panic: none of them may be taken
  };

  // `previous` (or null) gives its Host objects and slots to hosts that stay. Endpoints without an address (names not
  // yet resolved) are left out; an address that a priority names twice counts once, as first named. The monitors of the
  // hosts have their say in which are healthy; `monitors` (or null) knows those of hosts that `previous` has not.
  // `local`: null: there is no routing by zones. Thread: main.
  static std::shared_ptr<const HostSet> build(const Assignment& assignment, const HostSetOptions& options,
                                              const HostSet* previous, HostMonitors* monitors = nullptr,
                                              LocalZonesPtr local = nullptr);
  static std::shared_ptr<const HostSet> empty() { return build({}, {}, nullptr); }

  // What localities mean in a part of a set.
  enum class SubsetLocalities : uint8_t {
    kIgnored,
    kWeighted,  // as in the whole
    kScaled,    // as in the whole, times the share of the locality's hosts that the part has; rounded, 1 at least
  };
  // A set of some of the entries, by their ascending indexes, with traffic split over them as if there were no others.
  // Hosts keep their slots.
  std::shared_ptr<const HostSet> subset(std::span<const uint32_t> entries, SubsetLocalities localities) const;

  // In the order of the assignment. A host in two priorities has two entries.
  std::span<const Entry> entries() const { return entries_; }
  // Shares sum to 100. Empty when no host may get a request.
  std::span<const Tier> tiers() const { return {tiers_.data(), loaded_}; }
  // The same, and behind them those that get none because others take it all: where a retry passes over those.
  std::span<const Tier> allTiers() const { return tiers_; }
  // Whether a priority that is not one of these has a host that may get requests.
  bool hasOthers(const base::PrioritySet& priorities) const;
  // Of a host of a whole set; the first, if it is in several.
  uint32_t priorityOf(HostSlot slot) const { return slot < priorities_.size() ? priorities_[slot] : 0; }

  // Size for arrays indexed by slot.
  size_t slotCount() const { return roster_->by_slot.size(); }
  // Null for a free slot.
  const Host* host(HostSlot slot) const {
    return slot < roster_->by_slot.size() ? roster_->by_slot[slot].get() : nullptr;
  }
  const HostPtr& hostPtr(HostSlot slot) const { return roster_->by_slot[slot]; }
  // Where connections to a host go, in the order in which they are tried. Of a whole set; empty: Host::address() only.
  // It may be another list in the next set: what is tried is not part of what makes a host the same.
  std::span<const net::Address> addressesOf(HostSlot slot) const {
    return slot < addresses_.size() ? std::span<const net::Address>(addresses_[slot]) : std::span<const net::Address>();
  }
  // By slot. In a part of a set those of the whole.
  std::span<const HostPtr> slots() const { return roster_->by_slot; }
  size_t hostCount() const { return host_count_; }
  const HostRoster& roster() const { return *roster_; }
  // Of a million requests, so many are not to be sent to any of them.
  uint32_t dropPerMillion() const { return drop_per_million_; }
  const std::string& dropCategories() const { return drop_categories_; }
  // The host at an address, if it may be taken because somebody wants it (HostSetOptions::wanted_health); kNoHost:
  // there is none.
  HostSlot availableAt(const net::Address& address) const;
  // What came of routing by zones; nullopt: nobody asked for it, or no host is healthy.
  std::optional<ZoneObstacle> zoneObstacle() const { return zone_obstacle_; }

  // What the stats membership_total, membership_healthy, membership_degraded show.
  size_t countWithHealth(Health health) const;
  // (stat: membership_excluded)
  size_t countExcluded() const;

 private:
  friend class TierBuilder;

  // What tiers are made of beside the entries.
  struct Shape {
    // Of one priority; only where localities have weights.
    struct LocalityWeight {
      Locality locality;
      uint32_t priority = 0;
      uint64_t weight = 0;
      size_t hosts = 0;
    };

    HostSetOptions options;
    uint32_t overprovisioning_factor = 140;  // percent
    std::vector<LocalityWeight> localities;
    LocalZonesPtr local;  // null: there is no routing by zones
  };

  void addEntry(HostPtr host, const Endpoint& endpoint, uint32_t priority, const Locality& locality);
  void countLocalities(const Assignment& assignment);
  void notePriorities();
  void noteAddresses(const Endpoint& endpoint, HostSlot slot);
  void noteWanted(const Entry& entry);
  // Of entries_ and shape_.
  void split();

  Shape shape_;
  std::shared_ptr<const std::vector<Locality>> localities_;  // of the entries; null: there are none
  std::vector<Entry> entries_;
  HostRosterPtr roster_;  // never null; in a part of a set that of the whole
  std::vector<Tier> tiers_;
  size_t loaded_ = 0;                                 // of tiers_, those that get traffic
  std::vector<std::vector<net::Address>> addresses_;  // by slot; up to the last host that has several
  std::vector<uint8_t> priorities_;                   // by slot; empty: all hosts are of priority 0, or it is a part
  std::vector<uint8_t> wanted_;                       // by slot: 1: may be taken because somebody wants it
  std::optional<ZoneObstacle> zone_obstacle_;
  size_t host_count_ = 0;
  uint32_t drop_per_million_ = 0;
  std::string drop_categories_;
};

using HostSetPtr = std::shared_ptr<const HostSet>;

// Whether no host came or left.
bool sameHosts(const HostSet& before, const HostSet& after);

// Hosts of `before` that are not in `after` (by identity, not by address): their pools drain.
std::vector<HostPtr> removedHosts(const HostSet& before, const HostSet& after);

}  // namespace sluice::upstream::cluster
