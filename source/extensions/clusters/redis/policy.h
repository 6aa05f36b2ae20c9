// Chooses the host of a command by its slot, and by whether it may go to a replica.
//
// The map of slots is main's: the source puts it where build() finds it, before it tells of the hosts. Workers see the
// tables only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "source/extensions/clusters/redis/slots.h"
#include "source/redis/key_slot.h"
#include "source/upstream/lb/policy.h"

namespace sluice::extensions::clusters::redis {

// What the source knows. Thread: main.
struct Topology {
  SlotMap slots;
};

class Tables final : public upstream::lb::LbTables {
 public:
  static constexpr uint16_t kNobodys = UINT16_MAX;

  struct Shard {
    struct Member {
      upstream::cluster::HostSlot slot = upstream::cluster::kNoHost;
      bool available = false;
    };
    Member primary;
    std::vector<Member> replicas;
  };

  Tables(const SlotMap& slots, const upstream::cluster::HostSet& hosts);
  // Null: the slot is nobody's.
  const Shard* shardOf(uint16_t slot) const {
    const uint16_t shard = by_slot_[slot % by_slot_.size()];
    return shard == kNobodys ? nullptr : &shards_[shard];
  }

 private:
  std::array<uint16_t, sluice::redis::kSlots> by_slot_;
  std::vector<Shard> shards_;
};

class Picker final : public upstream::lb::LbPicker {
 public:
  explicit Picker(upstream::lb::LbWorker& worker) : worker_(worker) {}
  void update(const upstream::lb::PreparedHosts& hosts) override {
    tables_ = static_cast<const Tables*>(hosts.tables.get());
  }
  upstream::cluster::HostSlot pick(const upstream::lb::LbContext& context) override;

 private:
  upstream::cluster::HostSlot replicaOf(const Tables::Shard& shard, bool available_only);

  upstream::lb::LbWorker& worker_;
  const Tables* tables_ = nullptr;
};

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(std::shared_ptr<const Topology> topology) : topology_(std::move(topology)) {}
  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override {
    return std::make_shared<Tables>(topology_->slots, hosts);
  }
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override {
    return std::make_unique<Picker>(worker);
  }

 private:
  const std::shared_ptr<const Topology> topology_;
};

}  // namespace sluice::extensions::clusters::redis
