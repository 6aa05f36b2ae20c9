// How many of the last requests of a worker succeeded. Thread: the worker's.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace sluice::extensions::http_filters::admission_control {

class Window {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Counts {
    uint64_t requests = 0, successes = 0;
  };

  // Requests count for `length`, to the second.
  explicit Window(std::chrono::seconds length) : length_(length) {}

  void record(bool success, TimePoint now) {
    forget(now);
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (seconds_.empty() || seconds_.back().begin < second) seconds_.push_back({second, {}});
    add(seconds_.back().counts, success);
    add(all_, success);
  }
  Counts counts(TimePoint now) {
    forget(now);
    return all_;
  }

 private:
  struct Second {
    TimePoint begin;
    Counts counts;
  };

  static void add(Counts& counts, bool success) {
    ++counts.requests;
    counts.successes += success;
  }
  void forget(TimePoint now) {
    while (!seconds_.empty() && now - seconds_.front().begin >= length_) {
      all_.requests -= seconds_.front().counts.requests;
      all_.successes -= seconds_.front().counts.successes;
      seconds_.pop_front();
    }
  }

  const std::chrono::seconds length_;
  std::deque<Second> seconds_;  // oldest first
  Counts all_;
};

}  // namespace sluice::extensions::http_filters::admission_control
