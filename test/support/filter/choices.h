// How the interleaving suites take every turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "source/base/random.h"

namespace sluice::filter::testing {

// Makes decisions: all sequences of them in turn, then sequences by chance.
class Choices {
 public:
  // How many runs of each.
  Choices(size_t in_turn, size_t by_chance, uint64_t seed = 1)
      : in_turn_(in_turn), all_(in_turn + by_chance), by_chance_(in_turn == 0), random_(seed) {}

  size_t pick(size_t count) {
    if (by_chance_) return random_.next() % count;
    if (at_ == path_.size()) path_.push_back({0, count});
    return path_[at_++].taken;
  }
  // Prepares for the next run; false if there is none.
  bool next() {
    ++runs_;
    at_ = 0;
    if (by_chance_) return runs_ < all_;
    while (!path_.empty()) {
      if (++path_.back().taken < path_.back().count) break;
      path_.pop_back();
    }
    if (path_.empty()) return false;
    by_chance_ = runs_ >= in_turn_;
    return true;
  }
  size_t runs() const { return runs_; }

 private:
  struct Choice {
    size_t taken, count;
  };
  const size_t in_turn_, all_;
  std::vector<Choice> path_;
  size_t at_ = 0;
  size_t runs_ = 0;
  bool by_chance_;
  base::Random random_;
};

}  // namespace sluice::filter::testing
