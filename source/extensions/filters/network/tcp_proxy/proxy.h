// One proxied connection: bytes from the client to a host of the cluster and back, each direction with an end of its
// own.
//
// Nothing is read from the client before the host is connected. What one side does not take is held back at the other:
// at most kMaxBuffered bytes wait here in each direction. An end (FIN) is passed on behind the bytes in front of it;
// the connection is over when both directions have ended, or when either side breaks. It pins its cluster. Thread: the
// worker's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "source/base/local_ptr.h"
#include "source/extensions/filters/network/tcp_proxy/settings.h"
#include "source/filter/network_connection.h"
#include "source/stream/stream_info.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::filters::network::tcp_proxy {

class Proxy final : public filter::NetworkConnection {
 public:
  static constexpr size_t kMaxBuffered = 256 * 1024;
  // How long the rest of the host's bytes waits for a client that takes none of it, once the host is gone.
  static constexpr std::chrono::seconds kFlushPatience{10};

  static void start(filter::NetworkWorker& worker, std::shared_ptr<const Settings> settings, filter::Accepted accepted,
                    base::List<filter::LiveConnection>& list);

 private:
  // The host's side.
  class Upstream;
  // What the access log wants to know; only where there is one.
  struct LogState;

  Proxy(filter::NetworkWorker& worker, std::shared_ptr<const Settings> settings, filter::Accepted& accepted);
  ~Proxy() override;

  // filter::NetworkConnection
  void onAdmitted() override;
  size_t credit() override;
  void onData(std::string_view bytes) override;
  void onEnd() override;
  void onReset() override;
  void onFlushed() override;
  bool over(std::string_view details) override;

  // The host's side
  void upstreamConnected();
  size_t upstreamCredit();
  void upstreamData(std::string_view bytes);
  void upstreamEnd();
  void upstreamBroken(net::CloseReason reason, int error);
  void upstreamFlushed();

  base::LocalPtr<upstream::WorkerCluster> chooseCluster();
  upstream::cluster::HostSlot pick();
  void connect();
  // One attempt. What went wrong at once; nullopt while it runs.
  std::optional<std::string> attempt();
  void attemptFailed(std::string why);
  void giveUp();
  void releaseUpstream();
  void finishIfBothEnded();
  void closeAfterFlush(std::string_view details);
  void touch();
  void onTimer();
  void flag(stream::ResponseFlag flag);
  void log();
  const upstream::pool::PoolContext& context() const { return cluster_->context(); }

  const std::shared_ptr<const Settings> settings_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  upstream::cluster::HostPtr host_;
  std::unique_ptr<Upstream> upstream_;
  event::Timer timer_;  // of the attempt, then idle, at last of the flush
  std::unique_ptr<event::Timer> max_duration_;
  std::unique_ptr<event::Timer> log_timer_;
  std::unique_ptr<LogState> log_;
  event::TimePoint attempt_began_;
  const net::Address client_, target_;
  const bool redirected_;  // target_ is not where the client was accepted
  size_t limit_ = kMaxBuffered;
  uint64_t sent_before_ = 0;  // while the rest is flushed: at the last look
  std::string_view closing_details_;
  uint32_t attempts_ = 0;
  bool connected_ = false;
  bool client_ended_ = false;
  bool host_ended_ = false;
  bool closing_ = false;  // the host is gone: what it sent still goes to the client
};

}  // namespace sluice::extensions::filters::network::tcp_proxy
