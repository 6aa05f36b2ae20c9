#include "source/upstream/tcp_connection.h"

#include <cstring>
#include <utility>

namespace sluice::upstream {

using std::chrono::milliseconds;

namespace {

// A host that was named has to be the one that has that name.
void expectName(const cluster::ClusterConfig& config, const cluster::Host& host,
                net::TransportFactory::Options& options) {
  if (!config.kind || config.kind->dnsCache() == nullptr) return;
  if (config.http.auto_sni) options.server_name = host.hostname();
  if (config.http.auto_san_validation) options.verify_san = host.hostname();
}

}  // namespace

HostStream::Opening TcpConnection::open(base::LocalPtr<WorkerCluster> cluster, cluster::HostSlot slot,
                                        cluster::RoutingPriority priority, net::TransportFactory::Options options,
                                        HostStreamEvents& events) {
  const cluster::Host& host = *cluster->hostPtr(slot);
  options.session_key = host.addressText();
  expectName(cluster->config(), host, options);
  pool::BegunConnection begun;
  switch (pool::beginConnection(cluster->context(), host, cluster->hostStats(host), priority, options, begun)) {
    case pool::Begin::kBegun:
      break;
    case pool::Begin::kOverflow:
      return {.stream = nullptr,
              .failure = Failure::kOverflow,
              .why = pool::overflowText(cluster->context(), begun, priority)};
    case pool::Begin::kFailed:
      if (OutcomeObserver* outcomes = cluster->outcomes(); outcomes != nullptr && !begun.of_ours) {
        outcomes->onConnectFailed(host, cluster->hostStats(host), false);
      }
      return {.stream = nullptr, .failure = Failure::kConnectFailed, .why = std::move(begun.failure)};
  }
  cluster->requestStarted(slot);
  return {.stream = Ptr(new TcpConnection(std::move(cluster), slot, priority, std::move(begun), events))};
}

TcpConnection::TcpConnection(base::LocalPtr<WorkerCluster> cluster, cluster::HostSlot slot,
                             cluster::RoutingPriority priority, pool::BegunConnection begun, HostStreamEvents& events)
    : events_(events),
      cluster_(std::move(cluster)),
      host_(cluster_->hostPtr(slot)),
      host_stats_(cluster_->hostStats(*host_)),
      priority_(priority),
      began_(context().loop.now()),
      connection_(context().loop, context().buffers, std::move(begun.fd), net::Connection::Mode::kConnecting, *this,
                  std::move(begun.transport)),
      connect_timer_(context().loop.timers(), [this] {
        context().cells.add(context().stats.cx_connect_timeout);
        host_stats_.add(cluster::HostStat::kCxConnectFail);
        if (OutcomeObserver* outcomes = cluster_->outcomes()) outcomes->onConnectFailed(*host_, host_stats_, true);
        events_.onHostFailed("connection timeout", true);
      }) {
  if (!begun.others.empty()) connection_.raceTo(begun.others, context().config->connect);
  connect_timer_.arm(context().config->connect_timeout);
  cluster_->bind(*this);
}

// One that is not there yet is left to find out by itself.
void TcpConnection::hostFailed() {
  if (!connected_) return;
  unlink();
  connection_.close();
  events_.onHostBroken();
}

void TcpConnection::letGo() {
  gone_ = true;
  unlink();
  connect_timer_.cancel();
  if (broken_off_) {
    connection_.resetBehind();
    if (connection_.open()) return;  // onBroken follows
  }
  connection_.flush();
  connection_.close();
  over();
}

void TcpConnection::over() {
  pool::endConnection(context(), *host_, host_stats_, priority_);
  cluster_->requestFinished(*host_);
  context().loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

void TcpConnection::onConnected() {
  connected_ = true;
  connect_timer_.cancel();
  const event::Duration took = context().loop.now() - began_;
  context().cells.record(context().stats.cx_connect_ms, std::chrono::duration_cast<milliseconds>(took).count());
  if (OutcomeObserver* outcomes = cluster_->outcomes())
    outcomes->onConnected(*host_, host_stats_, events_.tellsAnswers());
  events_.onHostConnected();
}

void TcpConnection::write(std::string_view bytes) {
  context().cells.add(context().stats.cx_tx_bytes_total, bytes.size());
  connection_.write(bytes);
}

void TcpConnection::onBytes(std::string_view bytes) {
  context().cells.add(context().stats.cx_rx_bytes_total, bytes.size());
  events_.onHostData(bytes);
}

void TcpConnection::onBroken(net::CloseReason reason, int error) {
  if (gone_) return over();
  if (connected_) return events_.onHostBroken();
  context().cells.add(context().stats.cx_connect_fail);
  host_stats_.add(cluster::HostStat::kCxConnectFail);
  if (OutcomeObserver* outcomes = cluster_->outcomes()) outcomes->onConnectFailed(*host_, host_stats_, false);
  const net::Transport* transport = connection_.transport();
  const bool handshake = reason == net::CloseReason::kHandshakeFailed && transport != nullptr;
  if (handshake && !transport->failure().empty()) return events_.onHostFailed(transport->failure(), false);
  events_.onHostFailed(strerror(error), false);
}

}  // namespace sluice::upstream
