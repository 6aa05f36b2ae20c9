// Keeps the hosts of one STRICT_DNS cluster: asks for its names again and again and builds the HostSet from the
// answers.
//
// Thread: main. Destruction cancels everything.
//
// - Each name is asked anew after dns_refresh_rate, or after the TTL with respect_dns_ttl; after a failure, after
//   dns_failure_refresh_rate: doubling from base to maximum, of which a random half is taken off.
// - A failure (timeout, server failure) never takes hosts away: the last good addresses stay. "No such name" takes them
//   away when it is answered twice in a row, so that one wrong answer does not empty the cluster.
// - The cluster is warm once each name had its first result, good or bad.
// - A lookup that gives no result within kLookupDeadline is given up as failed: refresh never goes silent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {

class DnsCluster {
 public:
  static constexpr std::chrono::seconds kLookupDeadline{30};
  static constexpr std::chrono::seconds kMaxTtl{3600};

  // Counts since the start. (stats: cluster.NAME.update_*)
  struct Stats {
    uint64_t attempts = 0;
    uint64_t successes = 0;
    uint64_t failures = 0;
    uint64_t empty = 0;       // "no such name"
    uint64_t no_rebuild = 0;  // answered, but nothing changed
  };

  // `on_hosts` gets a new set when the cluster turns warm and whenever the addresses change after that. It may destroy
  // the cluster. `previous`: the hosts of the same cluster before its configuration changed, or null: hosts that stay
  // keep their identity, and a name that cannot be resolved just now keeps the addresses that it had.
  DnsCluster(event::Loop& loop, net::DnsResolver& resolver, std::shared_ptr<const ClusterConfig> config, uint64_t seed,
             std::function<void(HostSetPtr)> on_hosts, HostSetPtr previous = nullptr);
  ~DnsCluster();

  // Asks for all names. A cluster of literal addresses only is warm at once, within this call.
  void start();

  bool warm() const { return warm_; }
  // Never null; empty until warm.
  const HostSetPtr& hosts() const { return hosts_; }
  const Stats& stats() const { return stats_; }
  // The names that have no result yet or whose last lookup failed, with why: for verdicts. Empty: all is well.
  std::string problem() const;

 private:
  struct Target;

  void ask(Target& target);
  void onResult(Target& target, net::DnsResult result);
  void onDeadline(Target& target);
  bool takeAddresses(Target& target, net::DnsResult& result);
  void takePrevious(const HostSet& previous);
  void scheduleNext(Target& target, const net::DnsResult& result);
  event::Duration failureDelay(Target& target);
  void publish(bool changed);
  Assignment resolvedAssignment() const;
  Target& targetOf(const Endpoint& endpoint) const;

  event::Loop& loop_;
  net::DnsResolver& resolver_;
  const std::shared_ptr<const ClusterConfig> config_;
  base::Random random_;
  const std::function<void(HostSetPtr)> on_hosts_;
  HostSetPtr hosts_;
  bool warm_ = false;
  Stats stats_;
  std::vector<std::unique_ptr<Target>> targets_;           // one for each distinct name
  std::unordered_map<std::string_view, Target*> by_name_;  // of targets_
};

}  // namespace sluice::upstream::cluster
