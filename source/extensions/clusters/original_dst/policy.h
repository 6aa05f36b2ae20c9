// ORIGINAL_DST: the hosts are the addresses that somebody wanted to go to, one for each.
//
// A host is made when it is first asked for and forgotten once nothing was sent to it for a cleanup interval. Each
// worker has its own. (proto: Cluster.OriginalDstLbConfig, Cluster.cleanup_interval)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/event/timer.h"
#include "source/upstream/cluster/host_source.h"
#include "source/upstream/lb/policy.h"

namespace sluice::extensions::clusters::original_dst {

struct Settings {
  // In lower case, or ":authority": where it is there it tells the host, as "IP:port". Empty: the connection does.
  std::string header;
  uint16_t port_override = 0;                        // instead of the destination's; 0: that one
  std::chrono::milliseconds cleanup_interval{5000};  // hosts that are not used for so long are forgotten
};

// Thread: the worker's. The hosts are in the worker's table.
class Picker final : public upstream::lb::LbPicker {
 public:
  // More at one time are refused: addresses may come from requests.
  static constexpr size_t kMaxHosts = 65'536;

  // `settings` and `worker` outlive it.
  Picker(const Settings& settings, upstream::lb::LbWorker& worker);
  ~Picker() override;

  void update(const upstream::lb::PreparedHosts&) override {}
  // kNoHost: nobody says where to, or going there would come back here.
  upstream::cluster::HostSlot pick(const upstream::lb::LbContext& context) override;

 private:
  net::Address target(const upstream::lb::LbContext& context, const net::Address& destination) const;
  void sweep();

  const Settings& settings_;
  upstream::lb::LbWorker& worker_;
  std::vector<bool> used_;  // by slot: since the last sweep
  absl::flat_hash_map<net::Address, upstream::cluster::HostSlot> by_address_;
  event::Timer sweep_;  // armed while there are hosts
};

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override {
    return std::make_unique<Picker>(settings_, worker);
  }
  const Settings& settings() const { return settings_; }

 private:
  const Settings settings_;
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  explicit Kind(Settings settings) : policy_(std::make_shared<const Policy>(std::move(settings))) {}

  std::shared_ptr<const upstream::lb::LbPolicy> policy() const override { return policy_; }

 private:
  const std::shared_ptr<const Policy> policy_;
};

}  // namespace sluice::extensions::clusters::original_dst
