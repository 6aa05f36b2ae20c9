// Asks one host for reports of its load, for as long as the host is there: a stream of gRPC
// (xds.service.orca.v3.OpenRcaService/StreamCoreMetrics) on a connection of its own, which is made again whenever it
// ends. Thread: main.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/base/random.h"
#include "source/event/timer.h"
#include "source/http/codec.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/host.h"
#include "source/upstream/health/probe.h"
#include "source/upstream/health/probe_connection.h"
#include "source/upstream/lb/load_weights.h"

namespace sluice::upstream::health {

// (stats: cluster.NAME.lb_orca_oob.*)
struct LoadStreamStats {
  observability::Counter reports_received, report_errors, stream_failures, stream_terminated;
  observability::Gauge active_sessions;
};

// What the streams of a cluster share. Outlives them.
struct LoadStreamWorld {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  LoadStreamStats stats;
  std::shared_ptr<const cluster::ClusterConfig> config;
  const lb::LoadWeights& weights;  // of its policy, which wants streams
  base::Random random;
};

class LoadStream final : private ProbeConnectionUser, private http::ClientEvents {
 public:
  // It begins within a period, at random: so many hosts are not asked at once.
  LoadStream(LoadStreamWorld& world, cluster::HostPtr host);
  ~LoadStream() override;

 private:
  enum class End : uint8_t {
    kFailed,      // no connection, it broke, or what came is no answer
    kTerminated,  // by the host, with a status
  };
  struct Message;

  void connect();
  // Not while the codec is at work.
  void disconnect();
  void send();
  // The stream is over; another one begins after a while.
  void end(End how);
  void endIfOver();
  void countReport(std::string_view message);
  // Whole messages; false: it is no gRPC.
  [[nodiscard]] bool takeMessages();

  // --- ProbeConnectionUser
  void onProbeConnected() override;
  void onProbeBytes(std::string_view bytes) override;
  void onProbeEnd(std::string_view) override { end(End::kFailed); }

  // --- http::ClientEvents
  http::ResponseHeaders& beginResponse(http::StreamId) override;
  void onInformational(http::StreamId) override {}
  void onResponseHeaders(http::StreamId, bool end_stream) override;
  void onResponseData(http::StreamId stream, std::string_view data, bool end_stream) override;
  http::Trailers& beginResponseTrailers(http::StreamId) override;
  void onResponseTrailers(http::StreamId) override { over_ = End::kTerminated; }
  void onResponseReset(http::StreamId, http::ResetReason) override { over_ = End::kFailed; }

  LoadStreamWorld& world_;
  const cluster::HostPtr host_;
  event::Timer begin_;     // the next stream
  event::Timer deadline_;  // of connecting, then of the next report
  ProbeConnection::Ptr connection_;
  std::unique_ptr<Message> message_;
  std::unique_ptr<http::ClientCodec> codec_;  // once connected
  std::string received_;                      // of a message that is not whole
  std::optional<End> over_;                   // seen inside of the codec
  uint32_t failures_ = 0;                     // since the last report
  bool active_ = false;                       // it is counted as a session
};

}  // namespace sluice::upstream::health
