// A policy that chooses by a hash of the request (LbContext::hash), over a table for each tier, made once for a set of
// hosts. Without a hash it chooses at random.
//
//   struct Settings {
//     ConsistentHashing hashing;
//     bool locality_weighted;
//   };
//   class Table {                                            // of one tier
//     Table(const HashTier& tier, const Settings& settings);
//     uint32_t at(uint64_t hash, uint32_t attempt) const;    // an index of tier.members; `attempt` counts from 0
//   };
//   class Policy final : public HashingPolicy<Table, Settings> ...
//
// The hash chooses the tier, too, so that what stands in the hash stays on its priority while its hosts do. A host that
// is refused is left for where the table leads at the next attempt. With a balance factor no host gets more than its
// share of the requests that run on this worker, times the factor: others are tried in an order that the hash gives.
// (Envoy counts the requests of the whole process.)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "source/upstream/lb/hash_tier.h"
#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/tier_choice.h"

namespace sluice::upstream::lb {

// Every number below `count` once, in an order that a seed gives; nothing is kept.
class SeededOrder {
 public:
  // `prime`: the least prime that is not below `count`.
  SeededOrder(uint64_t seed, uint32_t count, uint32_t prime)
      : count_(count),
        prime_(prime),
        at_(static_cast<uint32_t>(mixed(seed) % prime)),
        step_(1 + static_cast<uint32_t>(mixed(~seed) % (prime - 1))) {}

  // As often as there are numbers.
  uint32_t next() {
    do {
      at_ = static_cast<uint32_t>((uint64_t{at_} + step_) % prime_);
    } while (at_ >= count_);
    return at_;
  }

  static uint32_t primeFor(uint32_t count) {
    uint32_t prime = std::max(count, 2u);
    while (!isPrime(prime)) ++prime;
    return prime;
  }
  static bool isPrime(uint64_t number) {
    if (number < 2) return false;
    for (uint64_t factor = 2; factor * factor <= number; ++factor) {
      if (number % factor == 0) return false;
    }
    return true;
  }

 private:
  static uint64_t mixed(uint64_t seed) {
    seed = (seed ^ (seed >> 33)) * 0xff51afd7ed558ccdu;
    seed = (seed ^ (seed >> 33)) * 0xc4ceb9fe1a85ec53u;
    return seed ^ (seed >> 33);
  }

  uint32_t count_, prime_, at_, step_;
};

template <typename Table, typename Settings>
class HashingPolicy : public LbPolicy {
 public:
  explicit HashingPolicy(Settings settings) : settings_(std::move(settings)) {}

  std::shared_ptr<const LbTables> build(const cluster::HostSet& hosts) const override {
    auto tables = std::make_shared<Tables>();
    for (const cluster::HostSet::Tier& tier : hosts.allTiers()) {
      tables->tiers.emplace_back(HashTier(hosts, tier, settings_.hashing.use_hostname), tier, settings_);
    }
    return tables;
  }
  std::unique_ptr<LbPicker> makePicker(LbWorker& worker) const override {
    return std::make_unique<Picker>(worker, settings_.hashing.balance_factor);
  }
  bool localityWeighted() const override { return settings_.locality_weighted; }
  const Settings& settings() const { return settings_; }

 private:
  struct Tier {
    Tier(const HashTier& hosts, const cluster::HostSet::Tier& tier, const Settings& settings)
        : percent(tier.percent),
          availability(tier.availability),
          priority(tier.priority),
          panic(tier.panic),
          fails(tier.fails),
          prime(SeededOrder::primeFor(static_cast<uint32_t>(hosts.members.size()))),
          table(hosts, settings) {
      members.reserve(hosts.members.size());
      for (const HashTier::Member& member : hosts.members) members.push_back({member.slot, member.weight});
    }

    struct Member {
      cluster::HostSlot slot;
      double weight;
    };
    uint32_t percent;
    uint32_t availability;
    uint32_t priority;
    bool panic;
    bool fails;
    uint32_t prime;  // for SeededOrder
    Table table;
    std::vector<Member> members;
  };
  struct Tables final : LbTables {
    std::vector<Tier> tiers;
  };

  class Picker final : public LbPicker {
   public:
    Picker(LbWorker& worker, uint32_t balance_factor) : worker_(worker), balance_factor_(balance_factor) {}

    void update(const PreparedHosts& hosts) override { tables_ = static_cast<const Tables*>(hosts.tables.get()); }

    cluster::HostSlot pick(const LbContext& context) override {
      if (tables_->tiers.empty()) return cluster::kNoHost;
      const std::optional<uint64_t> said = context.hash();
      const uint64_t hash = said ? *said : worker_.random.next();
      const Tier& tier = chooseTier(std::span(tables_->tiers), hash % 100, context.passed_over);
      if (tier.panic) {
        worker_.notePanic(context);
        if (tier.fails) return cluster::kNoHost;
      }
      return choose(tier, hash, context.repicked);
    }

   private:
    using Member = typename Tier::Member;

    cluster::HostSlot choose(const Tier& tier, uint64_t hash, uint32_t attempt) const {
      const uint32_t at = tier.table.at(hash, attempt);
      const Member& member = tier.members[at];
      if (balance_factor_ == 0) return member.slot;
      const double load = loadOf(member);
      return load <= 1.0 ? member.slot : leastLoaded(tier, hash, at, load);
    }

    // Of what the member may have; above 1: too much.
    double loadOf(const Member& member) const {
      const uint64_t all = ((worker_.hosts.totalActive() + 1) * balance_factor_ + 99) / 100;
      const double slots = std::max(1.0, std::ceil(static_cast<double>(all) * member.weight));
      return worker_.hosts.activeRequests(member.slot) / slots;
    }

    // Instead of member `at`: the first that is not overloaded, or else the least loaded of all.
    cluster::HostSlot leastLoaded(const Tier& tier, uint64_t hash, uint32_t at, double load) const {
      const auto count = static_cast<uint32_t>(tier.members.size());
      const Member* best = &tier.members[at];
      SeededOrder order(hash, count, tier.prime);
      for (uint32_t i = 0; i < count && load > 1.0; ++i) {
        const Member& other = tier.members[order.next()];
        const double its_load = loadOf(other);
        if (its_load < load) {
          best = &other;
          load = its_load;
        }
      }
      return best->slot;
    }

    LbWorker& worker_;
    const uint32_t balance_factor_;
    const Tables* tables_ = nullptr;
  };

  const Settings settings_;
};

}  // namespace sluice::upstream::lb
