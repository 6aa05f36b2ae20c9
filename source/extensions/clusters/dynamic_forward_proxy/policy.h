// The hosts are those that requests name: one for each name and address, made when it is first wanted.
//
// The name was looked up by a filter; only an answer of the cluster's own cache counts, whose guard has let its
// addresses pass. The guard is asked once more for each host that is made, so that nothing is connected to which it
// refuses. A host is forgotten once nothing was sent to it for a while. Each worker has its own.
// (proto: envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/dns_cache/dns_cache.h"
#include "source/event/timer.h"
#include "source/upstream/cluster/host_source.h"
#include "source/upstream/lb/policy.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {

using CachePtr = std::shared_ptr<const dns_cache::DnsCache>;

// Thread: the worker's. The hosts are in the worker's table.
class Picker final : public upstream::lb::LbPicker {
 public:
  // More at one time are refused: addresses of names may change as their owners like.
  static constexpr size_t kMaxHosts = 65'536;

  // `cache` and `worker` outlive it.
  Picker(const dns_cache::DnsCache& cache, upstream::lb::LbWorker& worker);
  ~Picker() override;

  void update(const upstream::lb::PreparedHosts&) override {}
  // kNoHost: nobody looked the host up, or the request goes to another one by now.
  upstream::cluster::HostSlot pick(const upstream::lb::LbContext& context) override;

 private:
  using Slots = std::vector<upstream::cluster::HostSlot>;

  bool fits(const dns_cache::ResolvedHost* resolved, const upstream::lb::LbContext& context) const;
  upstream::cluster::HostSlot make(Slots& slots, const dns_cache::ResolvedHost& resolved, const net::Address& address);
  void sweep();

  const dns_cache::DnsCache& cache_;
  upstream::lb::LbWorker& worker_;
  const uint64_t start_;    // which address of a name is this worker's first
  std::vector<bool> used_;  // by slot: since the last sweep
  absl::flat_hash_map<std::string, Slots> by_name_;
  event::Timer sweep_;  // armed while there are hosts
};

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(CachePtr cache) : cache_(std::move(cache)) {}
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override {
    return std::make_unique<Picker>(*cache_, worker);
  }
  const CachePtr& cache() const { return cache_; }

 private:
  const CachePtr cache_;
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  Kind(CachePtr cache, bool verifies_names)
      : policy_(std::make_shared<const Policy>(std::move(cache))), verifies_names_(verifies_names) {}

  std::shared_ptr<const upstream::lb::LbPolicy> policy() const override { return policy_; }
  const dns_cache::DnsCache* dnsCache() const override { return policy_->cache().get(); }
  bool verifiesNames() const override { return verifies_names_; }

 private:
  const std::shared_ptr<const Policy> policy_;
  const bool verifies_names_;
};

}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
