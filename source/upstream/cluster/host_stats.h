// What is counted of one host. (admin: /clusters)
//
// Each worker has a row of cells of its own, made when it first uses the host; the worker adds with plain loads and
// relaxed stores, main sums the rows when somebody asks. They go with the host.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice::upstream::cluster {

enum class HostStat : uint8_t {
  kCxConnectFail,
  kCxTotal,
  kRqError,    // answers of 5xx, the proxy's own for a request that the host did not answer among them
  kRqSuccess,  // other answers
  kRqTimeout,
  kRqTotal,
  kCxActive,
  kRqActive,
  // For outlier detection; only where that is on. As the proxy saw it, and what hosts answered.
  kLocalSuccess,
  kLocalFailure,
  kAnswerSuccess,
  kAnswerFailure,
};
inline constexpr size_t kHostStats = 12;
inline constexpr size_t kShownHostStats = 8;  // the first

class HostStats {
 public:
  // Of one thread.
  class alignas(64) Row {
   public:
    void add(HostStat stat) { bump(stat, 1); }
    void sub(HostStat stat) { bump(stat, -uint64_t{1}); }

   private:
    friend class HostStats;
    explicit Row(const void* owner) : owner_(owner) {}
    void bump(HostStat stat, uint64_t n) {
      std::atomic<uint64_t>& cell = cells_[static_cast<size_t>(stat)];
      cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::array<std::atomic<uint64_t>, kHostStats> cells_{};
    const void* const owner_;
    Row* next_ = nullptr;
  };

  HostStats() = default;
  ~HostStats() {
    for (const Row* row = first_.load(std::memory_order_relaxed); row != nullptr;) {
      const Row* const next = row->next_;
      delete row;
      row = next;
    }
  }
  HostStats(const HostStats&) = delete;
  HostStats& operator=(const HostStats&) = delete;

  // The calling thread's; `owner` is its own and nobody else's. Not for every request: keep the row.
  Row& rowOf(const void* owner) {
    Row* first = first_.load(std::memory_order_acquire);
    for (Row* row = first; row != nullptr; row = row->next_) {
      if (row->owner_ == owner) return *row;
    }
    Row* const row = new Row(owner);
    row->next_ = first;
    while (!first_.compare_exchange_weak(row->next_, row, std::memory_order_release, std::memory_order_relaxed)) {
    }
    return *row;
  }
  // Any thread.
  uint64_t sum(HostStat stat) const {
    uint64_t total = 0;
    for (const Row* row = first_.load(std::memory_order_acquire); row != nullptr; row = row->next_) {
      total += row->cells_[static_cast<size_t>(stat)].load(std::memory_order_relaxed);
    }
    return total;
  }

 private:
  std::atomic<Row*> first_{nullptr};  // newest first
};

}  // namespace sluice::upstream::cluster
