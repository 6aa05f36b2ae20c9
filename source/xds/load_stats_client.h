// The stream to a load reporting server (LRS): says who we are, hears what is wanted and how often, and sends a report
// in each interval. What is reported is its source's business.
//
// The stream is made again after a failure, with full jitter that starts over when a message arrives; nothing is sent
// on a new one before the server has said what it wants. What happened meanwhile is in the first report after that, and
// so is what was not sent because the server did not take the report before.
//
// Main thread. (proto: envoy.service.load_stats.v3.LoadReportingService)
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/service/load_stats/v3/lrs.pb.h"
#include "source/event/loop.h"
#include "source/xds/backoff.h"
#include "source/xds/transport.h"

namespace sluice::xds {

// What a server wants to know.
struct LoadStatsWanted {
  bool all = false;                   // all clusters
  std::vector<std::string> clusters;  // without `all`: these
  bool endpoints = false;             // hosts one by one
};

class LoadStatsSource {
 public:
  using Report = google::protobuf::RepeatedPtrField<envoy::config::endpoint::v3::ClusterStats>;

  virtual ~LoadStatsSource() = default;
  // From now on. Counts of what was wanted before go on; those of what is newly wanted begin here.
  virtual void onWanted(LoadStatsWanted wanted) = 0;
  // What happened since the last report, which is told with this.
  virtual void takeReport(Report& out) = 0;
};

class LoadStatsClient : private TransportEvents {
 public:
  struct Options {
    envoy::config::core::v3::Node node;
    bool set_node_on_first_message_only = true;  // ApiConfigSource's field of that name
    Backoff::Options backoff = {};
  };
  // In Envoy's words: the server requests, the proxy responds. (stats: load_reporter.*)
  struct Stats {
    uint64_t requests = 0;   // LoadStatsResponses that were taken
    uint64_t responses = 0;  // LoadStatsRequests that were sent
    uint64_t errors = 0;     // streams that ended, responses that were dropped
    uint64_t retries = 0;    // attempts after a stream that ended
    bool connected = false;
  };

  static constexpr std::string_view kMethod = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats";
  // A client feature: it reports all clusters where the server wants that.
  static constexpr std::string_view kSendsAllClusters = "envoy.lrs.supports_send_all_clusters";
  static constexpr std::chrono::milliseconds kShortestInterval{100};
  static constexpr std::chrono::hours kLongestInterval{24};

  // `source` and `loop` outlive it.
  LoadStatsClient(Options options, std::unique_ptr<Transport> transport, LoadStatsSource& source, event::Loop& loop,
                  std::function<uint64_t()> random);
  ~LoadStatsClient() override;

  // Makes the stream, and makes it again for ever.
  void start();
  // Called with what an operator should know: a stream that ended, a response that was dropped.
  void onLog(std::function<void(const std::string&)> log) { log_ = std::move(log); }
  const Stats& stats() const { return stats_; }

 private:
  void onConnected() override;
  void onMessage(std::string_view bytes) override;
  void onWritable() override {}
  void onClosed(const absl::Status& status) override;

  void connect();
  void report();
  void send(envoy::service::load_stats::v3::LoadStatsRequest& request);
  void drop(std::string_view why);
  void log(const std::string& line) const;

  const Options options_;
  LoadStatsSource& source_;
  Backoff backoff_;
  std::function<void(const std::string&)> log_;
  Stats stats_;
  std::chrono::milliseconds interval_{0};  // 0: this stream's server has said nothing yet
  bool node_sent_ = false;
  event::Timer reconnect_timer_;
  event::Timer report_timer_;
  std::unique_ptr<Transport> transport_;  // last: its events end first
};

}  // namespace sluice::xds
