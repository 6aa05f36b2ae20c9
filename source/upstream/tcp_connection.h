// A connection to a host of a cluster that carries bytes as they are.
#pragma once

#include <string_view>

#include "source/base/local_ptr.h"
#include "source/upstream/host_stream.h"
#include "source/upstream/pool/connecting.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {

// The cluster is pinned; its balancer, breakers and stats see the connection until it is let go of.
class TcpConnection final : public HostStream, private net::ConnectionEvents, private HostBound {
 public:
  // Begins to connect to a host that was picked, bounded by the cluster's connect_timeout. `events` outlives it.
  static Opening open(base::LocalPtr<WorkerCluster> cluster, cluster::HostSlot slot, cluster::RoutingPriority priority,
                      net::TransportFactory::Options options, HostStreamEvents& events);

  void write(std::string_view bytes) override;
  void breakOff() override { broken_off_ = true; }
  void shutdownWrites() override { connection_.shutdownWrites(); }
  size_t pendingBytes() const override { return connection_.pendingBytes(); }
  void resumeReading() override { connection_.resumeReading(); }
  std::string localAddress() const override { return net::localAddress(connection_.fd()).toString(); }

 private:
  TcpConnection(base::LocalPtr<WorkerCluster> cluster, cluster::HostSlot slot, cluster::RoutingPriority priority,
                pool::BegunConnection begun, HostStreamEvents& events);

  void onConnected() override;
  size_t readCredit() override { return events_.hostCredit(); }
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override { events_.onHostEnd(); }
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override {
    if (!gone_) events_.onHostDrained();
  }
  void letGo() override;
  const cluster::Host& boundTo() const override { return *host_; }
  void hostFailed() override;
  void over();

  const pool::PoolContext& context() const { return cluster_->context(); }

  HostStreamEvents& events_;
  const base::LocalPtr<WorkerCluster> cluster_;
  const cluster::HostPtr host_;
  cluster::HostStats::Row& host_stats_;
  const cluster::RoutingPriority priority_;
  const event::TimePoint began_;
  bool connected_ = false;
  bool broken_off_ = false;
  bool gone_ = false;  // let go of; at most its last bytes are still on their way
  net::Connection connection_;
  event::Timer connect_timer_;
};

}  // namespace sluice::upstream
