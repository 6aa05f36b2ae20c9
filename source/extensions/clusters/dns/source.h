// STRICT_DNS, LOGICAL_DNS and DnsCluster: the hosts are the addresses that names have. It asks for the names again and
// again.
//
// Thread: main. Destruction cancels everything.
//
// - Each name is asked anew after dns_refresh_rate, or after the TTL with respect_dns_ttl; after a failure, after
//   dns_failure_refresh_rate: doubling from base to maximum, of which a random half is taken off.
// - A failure (timeout, server failure) never takes hosts away: the last good addresses stay. "No such name" takes them
//   away when it is answered twice in a row, so that one wrong answer does not empty the cluster.
// - With `one_address` the host is one of its name's addresses, drawn by chance, and stays there as long as the name
//   has that address: answers in which many addresses take turns cost no connections. The others are where its
//   connections go if they find nobody there, kMostTried in all.
// - The cluster is warm once each name had its first result, good or bad.
// - A lookup that gives no result within kLookupDeadline is given up as failed: refresh never goes silent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/net/dns_lookup_family.h"
#include "source/upstream/cluster/host_source.h"

namespace sluice::extensions::clusters::dns {

// (proto: Cluster.dns_*, DnsCluster)
struct Settings {
  std::chrono::milliseconds refresh_rate{5000};
  // After a failed query: full jitter from base up to a doubling limit. Not set: refresh_rate, jittered.
  std::chrono::milliseconds failure_base_interval{0};
  std::chrono::milliseconds failure_max_interval{0};
  std::chrono::milliseconds jitter{0};  // a random share of it is added to each refresh
  bool respect_ttl = false;
  std::chrono::milliseconds min_ttl{0};  // a shorter one counts as this
  bool one_address = false;
  net::DnsLookupFamily lookup_family = net::DnsLookupFamily::kAuto;
};

class Source final : public upstream::cluster::HostSource {
 public:
  static constexpr std::chrono::seconds kLookupDeadline{30};
  static constexpr size_t kMostTried = 64;  // addresses of one host
  static constexpr std::chrono::seconds kMaxTtl{3600};

  // `endpoints`: the names (Endpoint::dns_name), addresses among them. `settings` outlives it. The receiver is told
  // when the cluster turns warm and whenever the addresses change after that. A name that cannot be resolved just now
  // keeps the addresses that the owner's previous hosts have of it.
  Source(const World& world, Owner owner, upstream::cluster::AssignmentPtr endpoints, const Settings& settings,
         Receiver& receiver);
  ~Source() override;

  // Asks for all names. A cluster of literal addresses only is warm at once, within this call.
  void start() override;
  Wait wait() const override { return {"addresses of '" + cluster_ + "'"}; }
  const Updates* updates() const override { return &updates_; }

  bool warm() const { return warm_; }
  // The names that have no result yet or whose last lookup failed, with why: for verdicts. Empty: all is well.
  std::string problem() const;

 private:
  struct Target;

  void ask(Target& target);
  void onResult(Target& target, net::DnsResult result);
  void onDeadline(Target& target);
  bool takeAddresses(Target& target, net::DnsResult& result);
  void putOwnFirst(const Target& target, std::vector<net::Address>& addresses);
  void takePrevious(const upstream::cluster::HostSet& previous);
  void scheduleNext(Target& target, const net::DnsResult& result);
  void publish(bool changed);
  upstream::cluster::AssignmentPtr resolved() const;
  Target& targetOf(const upstream::cluster::Endpoint& endpoint) const;

  const std::string cluster_;
  event::Loop& loop_;
  net::DnsResolver& resolver_;
  const upstream::cluster::AssignmentPtr endpoints_;
  const Settings& settings_;
  Receiver& receiver_;
  base::Random random_;
  bool warm_ = false;
  Updates updates_;
  std::vector<std::unique_ptr<Target>> targets_;           // one for each distinct name
  std::unordered_map<std::string_view, Target*> by_name_;  // of targets_
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  Kind(upstream::cluster::Assignment endpoints, Settings settings)
      : endpoints_(std::make_shared<const upstream::cluster::Assignment>(std::move(endpoints))), settings_(settings) {}

  std::unique_ptr<upstream::cluster::HostSource> makeSource(
      const upstream::cluster::HostSource::World& world, upstream::cluster::HostSource::Owner owner,
      upstream::cluster::HostSource::Receiver& receiver) const override {
    return std::make_unique<Source>(world, std::move(owner), endpoints_, settings_, receiver);
  }
  bool hostsStandForOne() const override { return settings_.one_address; }
  const upstream::cluster::Assignment& endpoints() const { return *endpoints_; }
  const Settings& settings() const { return settings_; }

 private:
  const upstream::cluster::AssignmentPtr endpoints_;
  const Settings settings_;
};

}  // namespace sluice::extensions::clusters::dns
