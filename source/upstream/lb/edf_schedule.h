// Earliest deadline first: picks indexes in proportion to their weights, evenly spread, O(log n), no allocation in use.
//
// Each entry has a deadline; the earliest is next and is then put off by its cost (1 / weight, or anything the caller
// wants it to cost). Thread: the worker that owns it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::upstream::lb {

class EdfSchedule {
 public:
  void reserve(size_t count) { heap_.reserve(count); }

  // `deadline` within [0, cost) at random starts in the middle of the cycle, so that workers do not move in step.
  void add(uint32_t index, double deadline) {
    heap_.push_back({deadline, index});
    siftUp(heap_.size() - 1);
  }

  bool empty() const { return heap_.empty(); }
  uint32_t top() const { return heap_.front().index; }
  // Puts the top off.
  void reschedule(double cost) {
    heap_.front().deadline += cost;
    siftDown();
  }

 private:
  struct Entry {
    double deadline;
    uint32_t index;

    bool before(const Entry& other) const {
      return deadline < other.deadline || (deadline == other.deadline && index < other.index);
    }
  };

  void siftUp(size_t at) {
    while (at > 0) {
      const size_t parent = (at - 1) / 2;
      if (!heap_[at].before(heap_[parent])) return;
      std::swap(heap_[at], heap_[parent]);
      at = parent;
    }
  }

  void siftDown() {
    const Entry entry = heap_.front();
    size_t at = 0;
    while (true) {
      size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
      if (!heap_[child].before(entry)) break;
      heap_[at] = heap_[child];
      at = child;
    }
    heap_[at] = entry;
  }

  std::vector<Entry> heap_;
};

}  // namespace sluice::upstream::lb
