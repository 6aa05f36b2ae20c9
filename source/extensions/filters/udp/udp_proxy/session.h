// One client's datagrams to one host and back, by a socket of their own.
//
// It holds what it needs (settings, cluster, host, the listener's port), so it goes on as it began when any of them is
// replaced. Thread: the worker's.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "source/base/local_ptr.h"
#include "source/event/loop.h"
#include "source/extensions/filters/udp/udp_proxy/settings.h"
#include "source/filter/udp.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::udp_filters::udp_proxy {

// What tells sessions apart. `apart` tells those of one client: the host where each datagram gets one of its own, or
// the session itself when it only answers; else null.
struct SessionKey {
  const net::Address& client;
  const net::Address& local;
  const void* apart;

  friend bool operator==(const SessionKey& a, const SessionKey& b) {
    return a.apart == b.apart && a.client == b.client && a.local == b.local;
  }
  template <typename H>
  friend H AbslHashValue(H state, const SessionKey& key) {
    return H::combine(std::move(state), key.client, key.local, key.apart);
  }
};

class Session final : public event::Deferred, private event::FdHandler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Its time is over; it is to be closed.
    virtual void sessionExpired(Session& session, std::string_view details) = 0;
    // It has to make room for another one of its client.
    virtual void sessionCut(Session& session, std::string_view details) = 0;
  };

  // `fd` is connected to the host at `slot` of the cluster; a connection of the cluster's breaker has been taken.
  Session(Owner& owner, worker::WorkerServices& worker, std::shared_ptr<const Settings> settings,
          base::LocalPtr<filter::UdpPort> port, const net::Datagram& first, upstream::ClusterId cluster_id,
          base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot, net::Fd fd);
  ~Session() override;

  SessionKey key() const {
    if (answers_only_) return {client_, local_, this};
    return {client_, local_, settings_->per_packet ? host_.get() : nullptr};
  }
  const upstream::cluster::Host& host() const { return *host_; }
  upstream::ClusterId clusterId() const { return cluster_id_; }
  const filter::UdpPort* port() const { return port_.get(); }

  // The client's, in order; at most DatagramBatch::kMost.
  void send(std::span<const std::string_view> payloads);
  // It is cut then at the latest.
  void cutAt(event::TimePoint when);
  // The client sent something since the host did.
  bool awaitsAnswer() const { return awaits_answer_; }
  // From now on it takes nothing from the client, and ends after `patience`. Changes its key.
  void answerOnly(milliseconds patience, std::string_view details);
  bool answersOnly() const { return answers_only_; }
  // Nothing for so long ends it, if that is less than its idle timeout.
  void limitSilence(milliseconds limit);
  // Gives everything back and writes the access log; what is left is to be destroyed.
  void close(std::string_view details);

 private:
  struct LogState;

  void onFdEvents(uint32_t events) override;
  void toClient(std::span<const std::string_view> payloads);
  void touch();
  void onTimer();
  void log(std::string_view details);
  const upstream::cluster::ClusterStats& clusterStats() const { return cluster_->context().stats; }

  Owner& owner_;
  worker::WorkerServices& worker_;
  filter::DatagramWorker& datagrams_;
  const std::shared_ptr<const Settings> settings_;
  const base::LocalPtr<filter::UdpPort> port_;
  const net::Address client_, local_;
  const upstream::ClusterId cluster_id_;
  const base::LocalPtr<upstream::WorkerCluster> cluster_;
  const upstream::cluster::HostPtr host_;
  net::Fd fd_;
  std::unique_ptr<event::FdWatch> watch_;
  event::Timer timer_;
  milliseconds silence_;
  uint32_t lost_ = 0;     // as the kernel told last
  bool leaving_ = false;  // its silence is limited
  bool awaits_answer_ = false;
  bool answers_only_ = false;
  std::string_view last_words_;  // if it only answers
  event::TimePoint cut_at_ = event::TimePoint::max();
  std::unique_ptr<LogState> log_;
};

}  // namespace sluice::extensions::udp_filters::udp_proxy
