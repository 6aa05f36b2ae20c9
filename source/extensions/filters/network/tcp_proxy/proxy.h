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
#include "source/upstream/tcp_connection.h"

namespace sluice::extensions::network_filters::tcp_proxy {

class Proxy final : public filter::NetworkConnection, private upstream::HostStreamEvents {
 public:
  static constexpr size_t kMaxBuffered = 256 * 1024;
  // How long the rest of the host's bytes waits for a client that takes none of it, once the host is gone.
  static constexpr std::chrono::seconds kFlushPatience{10};

  static void start(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted accepted,
                    base::List<filter::LiveConnection>& list);

 private:
  // What the access log and formatters want to know; only where there are any.
  struct LogState;

  Proxy(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted& accepted);
  ~Proxy() override;

  // filter::NetworkConnection
  void onHandshakeDone() override;
  void onAdmitted() override;
  size_t credit() override;
  void onData(std::string_view bytes) override;
  void onEnd() override;
  void onReset() override;
  void onFlushed() override;
  // A client that breaks before its host is there sent it nothing.
  bool dropsData(bool reset) override { return reset && !connected_; }
  bool over(std::string_view details) override;

  // upstream::HostStreamEvents
  void onHostConnected() override;
  void onHostFailed(std::string_view why, bool timed_out) override;
  size_t hostCredit() override;
  void onHostData(std::string_view bytes) override;
  void onHostEnd() override;
  void onHostBroken() override;
  void onHostDrained() override;

  base::LocalPtr<upstream::WorkerCluster> chooseCluster();
  std::string_view left(std::string_view name) const;
  upstream::cluster::HostSlot pick();
  void connect();
  // One attempt. What went wrong at once; nullopt while it runs.
  std::optional<std::string> attempt();
  upstream::HostStream::Opening openConnection(upstream::cluster::HostSlot slot);
  void giveUp();
  void finishIfBothEnded();
  void closeAfterFlush(std::string_view details);
  void touch();
  void onTimer();
  void noteClose(std::string_view details);
  void noteHostClose(stream::DownstreamFacts::Close close);
  void flag(stream::ResponseFlag flag);
  void log(stream::AccessLogType type);
  const upstream::pool::PoolContext& context() const { return cluster_->context(); }

  const std::shared_ptr<const Settings> settings_;
  std::chrono::milliseconds idle_timeout_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  upstream::cluster::HostPtr host_;
  upstream::HostStream::Ptr upstream_;
  event::Timer timer_;  // idle, at last of the flush
  std::unique_ptr<event::Timer> max_duration_;
  std::unique_ptr<event::Timer> log_timer_;
  std::unique_ptr<LogState> log_;
  const stream::MetadataCriteria* metadata_match_ = nullptr;  // of the settings
  const net::Address client_, target_;
  const uint8_t internal_hops_;  // as in Accepted
  const bool redirected_;        // target_ is not where the client was accepted
  size_t limit_;
  uint64_t sent_before_ = 0;  // while the rest is flushed: at the last look
  std::string_view closing_details_;
  uint32_t attempts_ = 0;
  bool connected_ = false;
  bool client_ended_ = false;
  bool host_ended_ = false;
  bool closing_ = false;  // the host is gone: what it sent still goes to the client
};

}  // namespace sluice::extensions::network_filters::tcp_proxy
