// What proxies report of their load (LRS): the last report of each, and sums of the fleet.
//
// A proxy that connects is asked to report all of its clusters once an interval. Its report takes the place of the one
// before, and goes with its stream. What a report takes is bounded; what does not fit is left out and counted.
//
// Thread: the main loop's. (proto: envoy.service.load_stats.v3.LoadReportingService)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/control_plane/served_stream.h"
#include "source/event/timer.h"
#include "source/observability/log.h"

namespace sluice::control_plane {

inline constexpr std::string_view kLoadReportMethod =
    "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats";

// Of requests; per second, from the time that the reports are of.
struct LoadSum {
  size_t proxies = 0;  // that reported it
  double requests = 0;
  double succeeded = 0, failed = 0;  // that ended
  double dropped = 0;                // that were not sent; of clusters and fleets
  double in_flight = 0;              // now

  void add(const LoadSum& other);
  // Of those that ended, 0 to 1; 0 if none did.
  double errorShare() const { return failed + succeeded > 0 ? failed / (failed + succeeded) : 0; }
};

// Where hosts are: "region/zone/sub_zone", and their priority.
struct LoadPlace {
  std::string locality;
  uint32_t priority = 0;

  friend auto operator<=>(const LoadPlace&, const LoadPlace&) = default;
};

struct ClusterLoad {
  LoadSum sum;
  std::map<LoadPlace, LoadSum> places;
};

// Of all proxies whose last report is not too old, or of one.
struct FleetLoad {
  LoadSum sum;
  std::map<std::string, ClusterLoad> clusters;
};

struct ReportingProxy {
  std::string id;
  std::string cluster;
  std::string address;
  std::optional<std::chrono::milliseconds> age;  // of its last report; nullopt: none has come
  size_t clusters = 0;                           // in it
  size_t left_out = 0;                           // clusters that did not fit
  bool counts = false;                           // in the sums
};

class LoadServer {
 public:
  struct Options {
    std::chrono::milliseconds interval{10000};
    // Bytes that are kept of one proxy's report, and of all.
    size_t report_bytes = size_t{16} << 20;
    size_t all_bytes = size_t{256} << 20;
  };
  static constexpr std::chrono::milliseconds kShortestInterval{100};
  static constexpr std::chrono::milliseconds kLongestInterval{24 * 3600 * 1000};

  // All outlive the server, which outlives its streams.
  LoadServer(event::TimerQueue& timers, observability::Logger& logger, Options options)
      : timers_(timers), logger_(logger), options_(options) {}

  std::unique_ptr<ServedStream> open(std::string address, MessageWriter& writer);

  std::chrono::milliseconds interval() const { return options_.interval; }
  // Of those that said who they are.
  std::vector<ReportingProxy> proxies() const;
  // load().sum, at the cost of the number of proxies.
  LoadSum total() const;
  // `proxy`: the id of the node that it is of; empty: of all.
  FleetLoad load(std::string_view proxy = {}) const;

 private:
  class Stream;
  friend class Stream;

  // A report older than that counts no more: it says nothing of now.
  bool counts(const Stream& stream) const;

  event::TimerQueue& timers_;
  observability::Logger& logger_;
  const Options options_;
  std::vector<Stream*> streams_;  // borrowed; in the order of opening
  size_t bytes_ = 0;              // of all reports
};

}  // namespace sluice::control_plane
