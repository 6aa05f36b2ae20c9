// Counters whose names are known only as they happen: status codes, methods of calls.
//
// Each thread that counts has cells of its own under each name; main looks through them when somebody asks, gives the
// names to the registry and shows the sums. They belong to what they are about (a cluster) and go with it.
//
//   auto counters = std::make_shared<LateCounters>();           // main
//   LateCounts counts(counters);                                // a worker
//   counts.add("upstream_rq_503");                              // the worker
//   counters->show(scope, cells);                               // main
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "source/base/text.h"
#include "source/observability/stats.h"

namespace sluice::observability {

class LateCounters {
 public:
  // Names that clients can make up come to an end, and leave room for others.
  static constexpr size_t kMost = 4096;
  static constexpr size_t kMostOfClients = kMost - 512;

  // The count of one thread under one name.
  class Cell {
   public:
    // Its thread only.
    void add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }

   private:
    friend class LateCounters;
    explicit Cell(std::string_view name) : name_(name) {}
    const std::string name_;
    std::atomic<uint64_t> value_{0};
    std::atomic<bool> taken_{true};
    Cell* next_ = nullptr;
    // Main's: what it has shown, and where.
    Counter counter_;
    uint64_t shown_ = 0;
  };

  LateCounters() = default;
  ~LateCounters();
  LateCounters(const LateCounters&) = delete;
  LateCounters& operator=(const LateCounters&) = delete;

  // A cell for the calling thread alone, until it is given back; null if there are `most`. Any thread.
  Cell* take(std::string_view name, size_t most);
  static void giveBack(Cell& cell) { cell.taken_.store(false, std::memory_order_release); }

  // Brings what was counted since the last time to the stats of `scope`, through main's cells.
  void show(Scope& scope, StatsCells& cells);

 private:
  std::atomic<Cell*> first_{nullptr};  // newest first; none leaves before the end
  std::atomic<size_t> size_{0};
};

// What one thread counts. Null counters: nothing.
class LateCounts {
 public:
  explicit LateCounts(std::shared_ptr<LateCounters> counters) : counters_(std::move(counters)) {}
  ~LateCounts() {
    for (const auto& [name, cell] : cells_) LateCounters::giveBack(*cell);
  }
  LateCounts(const LateCounts&) = delete;
  LateCounts& operator=(const LateCounts&) = delete;

  // A name that a client may have made up.
  void add(std::string_view name, uint64_t n = 1) {
    if (LateCounters::Cell* cell = cellOf(name, LateCounters::kMostOfClients)) cell->add(n);
  }
  // Null: it cannot be counted. Stays for as long as this does.
  LateCounters::Cell* cellOf(std::string_view name, size_t most = LateCounters::kMost) {
    if (!counters_) return nullptr;
    const auto known = cells_.find(base::toAbsl(name));
    if (known != cells_.end()) return known->second;
    LateCounters::Cell* cell = counters_->take(name, most);
    if (cell != nullptr) cells_.emplace(name, cell);
    return cell;
  }

 private:
  std::shared_ptr<LateCounters> counters_;
  absl::flat_hash_map<std::string, LateCounters::Cell*> cells_;
};

}  // namespace sluice::observability
