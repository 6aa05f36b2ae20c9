// envoy.clusters.redis: hosts and slots are what the nodes of a Redis Cluster say.
//
// Main asks one node after the other until one answers: those that it knows, then those that the configuration names.
// It asks again every cluster_refresh_rate; at once, but not more often than redirect_refresh_interval, when workers
// were redirected or failed often enough. A failure never takes hosts away.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "source/base/random.h"
#include "source/extensions/clusters/redis/policy.h"
#include "source/extensions/clusters/redis/question.h"
#include "source/net/dns.h"
#include "source/upstream/cluster/host_source.h"
#include "source/upstream/cluster/redis_auth.h"

namespace sluice::extensions::clusters::redis {

using std::chrono::milliseconds;

// (proto: RedisClusterConfig)
struct Settings {
  milliseconds refresh_rate{5000};
  milliseconds timeout{3000};  // of one node
  milliseconds least_interval{5000};
  uint32_t redirections = 5;  // that lead to a question; 0: none does
  uint32_t failures = 0;      // the same
  net::ConnectOptions connect;
  std::shared_ptr<const net::TransportFactory> transport;            // null: plain
  std::shared_ptr<const upstream::cluster::RedisAuth> auth;          // null: nothing is said
  net::DnsLookupFamily lookup_family = net::DnsLookupFamily::kAuto;  // of nodes that are named
  std::vector<net::Address> seeds;
  std::vector<std::pair<std::string, uint16_t>> names;  // of seeds, with their ports
};

class Source;

// What workers tell of redirections and failures. Any thread.
class Signals : public std::enable_shared_from_this<Signals> {
 public:
  explicit Signals(const Settings& settings) : redirections_(settings.redirections), failures_(settings.failures) {}

  void redirected() { count(redirected_, redirections_); }
  void failed() { count(failed_, failures_); }
  // Main. Null: nobody listens any more.
  void listen(Source* source, event::Loop* loop);

 private:
  void count(std::atomic<uint32_t>& counter, uint32_t limit);
  void tell();

  const uint32_t redirections_, failures_;
  std::atomic<uint32_t> redirected_{0}, failed_{0};
  std::mutex mutex_;  // of what follows; workers take it once in `limit` times
  event::Loop* loop_ = nullptr;
  Source* source_ = nullptr;
};

class Source final : public upstream::cluster::HostSource {
 public:
  // All of it outlives the source.
  Source(const World& world, Owner owner, const Settings& settings, Topology& topology,
         std::shared_ptr<Signals> signals, Receiver& receiver);
  ~Source() override;

  void start() override;
  Wait wait() const override { return {"the slots of '" + cluster_ + "'"}; }
  const Updates* updates() const override { return &updates_; }
  // Workers want news.
  void refreshSoon();

 private:
  void begin();
  void askNext();
  void resolveNext();
  bool askNode(const net::Address& node);
  void onAnswer(const net::Address& node, std::optional<std::string_view> answer, std::string_view why);
  void onTimer();
  void fail();
  void take(SlotMap slots);
  void shuffle(std::vector<net::Address>& nodes);
  upstream::cluster::AssignmentPtr assignment() const;

  const std::string cluster_;
  event::Loop& loop_;
  net::DnsResolver& resolver_;
  const Settings& settings_;
  Topology& topology_;
  const std::shared_ptr<Signals> signals_;
  Receiver& receiver_;
  base::Random random_;
  net::WorkerBuffers buffers_;
  Updates updates_;
  bool asking_ = false;
  bool warm_ = false;
  std::deque<net::Address> nodes_;  // still to be asked
  size_t next_name_ = 0;            // still to be looked up
  std::string why_;                 // the last node did not answer
  event::TimePoint asked_{};        // when this, or the last, began
  Question::Ptr question_;
  std::unique_ptr<net::DnsQuery> query_;
  event::Timer timer_;  // the deadline of a node, or the next time
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  explicit Kind(Settings settings)
      : settings_(std::move(settings)),
        topology_(std::make_shared<Topology>()),
        signals_(std::make_shared<Signals>(settings_)),
        policy_(std::make_shared<Policy>(topology_)) {}

  std::unique_ptr<upstream::cluster::HostSource> makeSource(
      const upstream::cluster::HostSource::World& world, upstream::cluster::HostSource::Owner owner,
      upstream::cluster::HostSource::Receiver& receiver) const override {
    return std::make_unique<Source>(world, std::move(owner), settings_, *topology_, signals_, receiver);
  }
  std::shared_ptr<const upstream::lb::LbPolicy> policy() const override { return policy_; }
  bool hasSlots() const override { return true; }
  void noteRedirection() const override { signals_->redirected(); }
  void noteFailure() const override { signals_->failed(); }

 private:
  const Settings settings_;
  const std::shared_ptr<Topology> topology_;  // main's
  const std::shared_ptr<Signals> signals_;
  const std::shared_ptr<const Policy> policy_;
};

}  // namespace sluice::extensions::clusters::redis
