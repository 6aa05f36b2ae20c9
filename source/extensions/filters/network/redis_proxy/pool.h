// The connections of one filter to hosts, on one worker: one to each host, shared by all clients.
//
// A connection is made with the first command to its host, and stays while the cluster has the host. When the host or
// its cluster goes, what was sent is waited for; new commands go elsewhere. Thread: the worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/base/token_bucket.h"
#include "source/extensions/filters/network/redis_proxy/client.h"

namespace sluice::extensions::network_filters::redis_proxy {

class Pool;

// A command on its way. Destruction gives it up: nobody is told of anything then.
class Request final : public base::ListNode, private AnswerEvents {
 public:
  ~Request() override;

 private:
  friend class Pool;

  Request(AnswerEvents& events, Pool& pool) : events_(events), pool_(pool) {}

  void sendOn(Client& client, std::string_view command);
  void onAnswer(std::string_view frame) override;
  void onLost() override;
  bool follow(std::string_view frame);

  AnswerEvents& events_;
  Pool& pool_;
  Client* client_ = nullptr;  // null: it is not sent, or answered
  uint64_t number_ = 0;       // at the client
  std::string command_;       // empty: it is not redirected
  std::string_view name_;     // of the settings; empty: it is not counted by name
  upstream::ClusterId cluster_ = 0;
  int redirections_ = 0;
  std::string unknown_host_;  // where it waits for a host to be known: the answer that named it
  net::Address wanted_;
  bool asking_ = false;
  event::TimePoint give_up_{};
};

class Pool final : private Client::Owner, private upstream::ClusterWatcher, private event::TurnTask {
 public:
  static constexpr int kMaxRedirections = 5;
  // A host that takes copies more slowly than they come gets none while this much waits for it.
  static constexpr size_t kMaxCopies = size_t{1} << 20;

  Pool(worker::WorkerServices& worker, PoolSettings settings);
  ~Pool() override;

  // What a command is about.
  struct Place {
    upstream::ClusterId cluster = 0;
    std::string_view key;
    bool writes = true;
    std::string_view name = {};  // of the command, in the settings
  };
  // Sends it to the host of its key. Null: there is no such host, or no connection to it can be had. `events`, which
  // outlives the request, is never told inside the call.
  std::unique_ptr<Request> send(const Place& place, std::string command, AnswerEvents& events);
  // The same without an answer. Nobody waits for these, so those that go beyond kMaxCopies are dropped.
  void sendCopy(const Place& place, std::string_view command);
  // To each host that may get commands that write. Null where a host cannot be had.
  std::vector<Client*> everyHost(upstream::ClusterId cluster);
  std::unique_ptr<Request> sendOn(Client& client, std::string_view command, AnswerEvents& events);

  // A connection for one client alone. Null: there is no host for the key, or no connection to it can be had.
  Client::Ptr openOwn(const Place& place, Client::Owner& owner);
  // A host for commands without a key; null: none.
  Client* anyHost(upstream::ClusterId cluster);

 private:
  friend class Request;

  using Cluster = base::LocalPtr<upstream::WorkerCluster>;
  upstream::cluster::HostSlot pick(upstream::WorkerCluster& cluster, const Place& place);
  Client* clientOf(Cluster cluster, upstream::cluster::HostSlot slot);
  Client* clientFor(const Place& place);
  Client* clientAt(upstream::ClusterId cluster, const net::Address& address);
  bool mayConnect(const upstream::cluster::Host& host);
  Client* clientOfSlot(const Cluster& cluster, uint16_t slot);
  bool redirect(Request& request);
  void wait(Request& request);
  void lookAgain();
  void giveUpWaiting();
  void noteRedirected(upstream::ClusterId cluster, bool succeeded);
  void noteMoved(upstream::ClusterId cluster);
  void noteLost(const Client& client);
  void countByName(const Request& request, std::string_view what);

  void onClientOver(Client& client) override;
  void onClientIdle(Client& client) override;
  void onClusterChanged(upstream::ClusterId) override { worker_.loop.atTurnEnd(*this); }
  void runAtTurnEnd() override;

  worker::WorkerServices& worker_;
  const PoolSettings settings_;  // a pool goes a turn later than what it belongs to
  upstream::ClusterSet& clusters_;
  absl::flat_hash_map<const upstream::cluster::Host*, Client::Ptr> clients_;
  std::vector<Client::Ptr> leaving_;                                            // they are waited for
  absl::flat_hash_map<std::string, std::unique_ptr<base::TokenBucket>> rates_;  // by address
  base::List<Request> waiting_;  // for a host that a redirection named, the oldest first
  event::Timer wait_timer_;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
