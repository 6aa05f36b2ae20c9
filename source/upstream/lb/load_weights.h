// How the reports of their load become the weights of hosts.
// (proto: ClientSideWeightedRoundRobin;
// https://github.com/grpc/proposal/blob/master/A58-client-side-weighted-round-robin-lb-policy.md)
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "source/upstream/lb/load_report.h"

namespace sluice::upstream::lb {

class LoadWeights {
 public:
  struct Settings {
    // Whose greatest is the utilization (LoadReport::utilization); each is a metric.
    std::vector<std::string> metric_names = {};
    double error_penalty = 1.0;  // 0 or more
    // Of a weight: how long after its first report it counts, and how long after its last.
    std::chrono::milliseconds blackout{10'000}, expiration{180'000};
    // Hosts are asked for reports by streams, to send one so often; 0: they send them with their answers.
    std::chrono::milliseconds stream_period{0};
  };

  explicit LoadWeights(Settings settings);
  LoadWeights(const LoadWeights&) = delete;
  LoadWeights& operator=(const LoadWeights&) = delete;

  // An empty report that knows what is wanted.
  LoadReport newReport() const { return LoadReport(metrics_); }
  // Requests per second by utilization, which errors add to; more than 0. Not set: the report does not say enough.
  std::optional<double> weightOf(const LoadReport& report) const;
  bool byStream() const { return settings_.stream_period.count() > 0; }
  const Settings& settings() const { return settings_; }

 private:
  const Settings settings_;
  std::vector<LoadMetric> metrics_;  // views of the names
};

}  // namespace sluice::upstream::lb
