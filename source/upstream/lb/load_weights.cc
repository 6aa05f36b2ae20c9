#include "source/upstream/lb/load_weights.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::upstream::lb {

LoadWeights::LoadWeights(Settings settings) : settings_(std::move(settings)) {
  for (const std::string& name : settings_.metric_names) {
    if (const std::optional<LoadMetric> metric = LoadMetric::parse(name)) metrics_.push_back(*metric);
  }
}

std::optional<double> LoadWeights::weightOf(const LoadReport& report) const {
  // As much as Envoy's weights, so that sums of them stay exact enough; and not so little that a part of it is 0.
  constexpr double kMost = std::numeric_limits<uint32_t>::max(), kLeast = 1e-9;
  const double requests = report.requestsPerSecond();
  if (!(requests > 0)) return std::nullopt;
  const double utilization = report.utilization() + settings_.error_penalty * report.errorsPerSecond() / requests;
  if (!(utilization > 0)) return std::nullopt;
  const double weight = std::min(requests / utilization, kMost);
  return weight > 0 ? std::optional(std::max(weight, kLeast)) : std::nullopt;
}

}  // namespace sluice::upstream::lb
