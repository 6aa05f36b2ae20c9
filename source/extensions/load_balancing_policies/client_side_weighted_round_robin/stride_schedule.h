// Indexes in proportion to weights, evenly spread, in a time that does not depend on how many there are.
//
// Each index comes by in turn and is passed over as often as its weight is below the greatest. Weights count from a
// tenth of their mean to ten times it: so a choice passes over few, and none is given up or flooded by what one of them
// says. (the static stride scheduler of gRPC) Thread: the worker that owns it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {

class StrideSchedule {
 public:
  // `count`: of indexes, 1 or more, which have equal weights; `seed`: where in the cycle to begin.
  StrideSchedule(size_t count, uint64_t seed)
      : weights_(count, kMost), next_(static_cast<uint32_t>(seed % count)), turn_(seed >> 32) {}

  // As many as there are indexes, each more than 0. The cycle goes on where it is.
  void setWeights(std::span<const double> weights) {
    const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(weights.size());
    const double least = mean / 10, most = mean * 10;
    const double greatest = std::min(most, *std::max_element(weights.begin(), weights.end()));
    for (size_t i = 0; i < weights.size(); ++i) {
      const double share = std::clamp(weights[i], least, most) / greatest;
      weights_[i] = static_cast<uint16_t>(std::lround(share * kMost));
    }
  }

  uint32_t next() {
    for (;;) {
      const uint32_t index = next_;
      const uint64_t turn = turn_;
      if (++next_ == weights_.size()) {
        next_ = 0;
        ++turn_;
      }
      const uint64_t weight = weights_[index];
      // Neighbours are half a cycle apart, so that they are not passed over together.
      if ((weight * turn + uint64_t{index} * (kMost / 2)) % kMost >= kMost - weight) return index;
    }
  }

 private:
  static constexpr uint64_t kMost = UINT16_MAX;  // some weight is that

  std::vector<uint16_t> weights_;
  uint32_t next_;
  uint64_t turn_;
};

}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
