// Load-balancing policies for tests, written only with what a policy's folder gives.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/upstream/lb/tiered_picker.h"

namespace sluice::upstream::lb {

// Each tier's hosts in turn, from the first, whatever their weights.
class InTurn final : public LbPolicy {
 public:
  std::unique_ptr<LbPicker> makePicker(LbWorker& worker) const override { return std::make_unique<Picker>(worker); }

 private:
  struct State {
    size_t next = 0;
  };
  class Picker final : public TieredPicker<Picker, State> {
   public:
    using TieredPicker::TieredPicker;
    void prepare(Group&, const LbTables*, size_t, size_t) {}
    cluster::HostSlot pickFrom(Group& group, const LbContext&) {
      return group.hosts->members[group.next++ % group.hosts->members.size()].slot;
    }
  };
};

// The host of the slot that a function of what is known of the request says.
class PickBy final : public LbPolicy {
 public:
  using Choose = std::function<cluster::HostSlot(const LbContext&)>;

  explicit PickBy(Choose choose) : choose_(std::move(choose)) {}
  std::unique_ptr<LbPicker> makePicker(LbWorker&) const override { return std::make_unique<Picker>(choose_); }

 private:
  class Picker final : public LbPicker {
   public:
    explicit Picker(const Choose& choose) : choose_(choose) {}
    void update(const PreparedHosts&) override {}
    cluster::HostSlot pick(const LbContext& context) override { return choose_(context); }

   private:
    const Choose& choose_;
  };

  const Choose choose_;
};

// The host whose address the request's header `name` says; without it, or without such a host, by the hash of what is
// asked for, if there is one; else the first.
class ByHeader final : public LbPolicy {
 public:
  explicit ByHeader(std::string name) : name_(std::move(name)) {}

  std::shared_ptr<const LbTables> build(const cluster::HostSet& hosts) const override {
    auto tables = std::make_shared<Tables>();
    for (const cluster::HostSet::Entry& entry : hosts.entries()) {
      tables->hosts.emplace_back(entry.host->addressText(), entry.host->slot());
    }
    ++built_;
    return tables;
  }
  std::unique_ptr<LbPicker> makePicker(LbWorker&) const override { return std::make_unique<Picker>(name_); }

  // How often tables were made. Main.
  size_t built() const { return built_; }

 private:
  struct Tables final : LbTables {
    std::vector<std::pair<std::string, cluster::HostSlot>> hosts;
  };
  class Picker final : public LbPicker {
   public:
    explicit Picker(const std::string& name) : name_(name) {}
    void update(const PreparedHosts& hosts) override { tables_ = static_cast<const Tables*>(hosts.tables.get()); }
    cluster::HostSlot pick(const LbContext& context) override {
      const auto& hosts = tables_->hosts;
      if (hosts.empty()) return cluster::kNoHost;
      const auto wanted = context.headers != nullptr ? context.headers->get(name_) : std::nullopt;
      for (const auto& [address, slot] : hosts) {
        if (wanted && *wanted == address) return slot;
      }
      return hosts[context.hash().value_or(0) % hosts.size()].second;
    }

   private:
    const std::string& name_;
    const Tables* tables_ = nullptr;
  };

  const std::string name_;
  mutable size_t built_ = 0;
};

}  // namespace sluice::upstream::lb
