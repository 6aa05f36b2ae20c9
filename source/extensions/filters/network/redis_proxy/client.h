// One connection to a host, over which commands are sent one behind the other without waiting for answers.
//
// Answers come in the order of the commands, so one that does not come in time (op_timeout) ends the connection, and
// with it every command that was sent: each of them is told. Thread: the worker's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "source/base/local_ptr.h"
#include "source/event/loop.h"
#include "source/extensions/filters/network/redis_proxy/settings.h"
#include "source/redis/resp.h"
#include "source/upstream/tcp_connection.h"
#include "source/worker/services.h"

namespace sluice::extensions::network_filters::redis_proxy {

// Whoever sent a command. Told once, from the loop; it may do anything meanwhile, to the client too.
class AnswerEvents {
 public:
  virtual ~AnswerEvents() = default;
  // `frame`: a whole message, during the call.
  virtual void onAnswer(std::string_view frame) = 0;
  // The connection is over.
  virtual void onLost() = 0;
};

class Client final : public event::Deferred, private upstream::HostStreamEvents {
 public:
  // Its owner.
  class Owner {
   public:
    virtual ~Owner() = default;
    // It is of no use any more: to be let go of. Those who sent commands are told behind that.
    virtual void onClientOver(Client& client) = 0;
    // Nothing is under way (any more).
    virtual void onClientIdle(Client& client) = 0;
  };
  // Closes it at once; nobody is told of anything, and nobody may forget() any more. Destroyed at the end of the turn.
  struct LetGo {
    void operator()(Client* client) const { client->letGo(); }
  };
  using Ptr = std::unique_ptr<Client, LetGo>;

  // Begins to connect. Null: that cannot even begin; it is counted. `settings` and `owner` outlive the client.
  static Ptr open(worker::WorkerServices& worker, const PoolSettings& settings,
                  base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot, Owner& owner);

  // A whole command. `events`: null: its answer is dropped. The number is for forget().
  uint64_t send(std::string_view command, AnswerEvents* events);
  // A command without which those behind it would mean something else: an error ends the connection.
  void sendFirst(std::string_view command);
  // The answer is nobody's any more. One that was told already is forgotten anyway.
  void forget(uint64_t number);

  // It goes because its host or cluster did, and nothing was lost.
  void countDrained() { cluster_->lateCounts().add("redis_cluster.upstream_cx_drained"); }
  bool idle() const { return pending_.empty(); }
  // Bytes that the host has not taken.
  size_t backlog() const { return unsent_.size() + stream_->pendingBytes(); }
  const upstream::WorkerCluster& cluster() const { return *cluster_; }
  const upstream::cluster::HostPtr& host() const { return host_; }

 private:
  struct Pending {
    AnswerEvents* events;
    event::TimePoint since;
    bool needed = false;  // of sendFirst()
  };

  Client(worker::WorkerServices& worker, const PoolSettings& settings, base::LocalPtr<upstream::WorkerCluster> cluster,
         upstream::cluster::HostSlot slot, Owner& owner);
  ~Client() override;

  void greet();
  void write(std::string_view bytes);
  void flush();
  void watchOldest();
  void answered(std::string_view frame);
  void countAnswer(std::string_view frame, const Pending& answered);
  // By the host's fault.
  void lost(bool timed_out = false);
  void over();
  void countLost();
  void letGo();

  void onHostConnected() override;
  void onHostFailed(std::string_view, bool) override { over(); }
  size_t hostCredit() override { return net::WorkerBuffers::kReadSize; }
  void onHostData(std::string_view bytes) override;
  void onHostEnd() override { lost(); }
  void onHostBroken() override { lost(); }
  void onHostDrained() override {}
  bool tellsAnswers() const override { return true; }

  const upstream::pool::PoolContext& context() const { return cluster_->context(); }

  worker::WorkerServices& worker_;
  const PoolSettings& settings_;
  const base::LocalPtr<upstream::WorkerCluster> cluster_;
  const upstream::cluster::HostPtr host_;
  upstream::cluster::HostStats::Row& host_stats_;
  Owner* owner_;  // null: let go of
  upstream::HostStream::Ptr stream_;
  redis::Framer framer_{redis::kAnswerLimits};
  std::string unsent_;  // before it is connected, or gathered
  std::deque<Pending> pending_;
  uint64_t first_ = 0;  // number of the first of them
  bool connected_ = false;
  bool ending_ = false;  // those who wait are being told
  event::Timer flush_timer_;
  event::Timer answer_timer_;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
