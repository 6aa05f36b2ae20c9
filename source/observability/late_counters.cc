#include "source/observability/late_counters.h"

namespace sluice::observability {

LateCounters::~LateCounters() {
  for (Cell* cell = first_.load(std::memory_order_acquire); cell != nullptr;) {
    const std::unique_ptr<Cell> gone(std::exchange(cell, cell->next_));
  }
}

LateCounters::Cell* LateCounters::take(std::string_view name, size_t most) {
  for (Cell* cell = first_.load(std::memory_order_acquire); cell != nullptr; cell = cell->next_) {
    bool taken = false;
    if (cell->name_ == name && cell->taken_.compare_exchange_strong(taken, true, std::memory_order_acq_rel))
      return cell;
  }
  if (size_.fetch_add(1, std::memory_order_relaxed) >= most) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  Cell* cell = std::unique_ptr<Cell>(new Cell(name)).release();
  cell->next_ = first_.load(std::memory_order_relaxed);
  while (!first_.compare_exchange_weak(cell->next_, cell, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return cell;
}

void LateCounters::show(Scope& scope, StatsCells& cells) {
  for (Cell* cell = first_.load(std::memory_order_acquire); cell != nullptr; cell = cell->next_) {
    const uint64_t value = cell->value_.load(std::memory_order_relaxed);
    if (cell->counter_.id == 0) cell->counter_ = scope.counter(cell->name_);
    cells.add(cell->counter_, value - std::exchange(cell->shown_, value));
  }
}

}  // namespace sluice::observability
