// The answers of a cluster under one name, by status. Each name comes up with the first answer of its kind.
// (stats: cluster.NAME.PREFIX.upstream_rq_{completed,Nxx,NNN})
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "source/base/text.h"
#include "source/observability/late_counters.h"

namespace sluice::upstream {

// Thread: the worker's.
class StatusCounts {
 public:
  StatusCounts(observability::LateCounts& counts, std::string prefix) : counts_(counts), prefix_(std::move(prefix)) {}

  void add(uint16_t status) {
    for (const Status& known : statuses_) {
      if (known.status == status) return count(known);
    }
    count(newStatus(status));
  }
  // As completed only.
  void addCompleted() {
    if (auto* cell = counts_.cellOf(base::strCat(prefix_, ".upstream_rq_completed"))) cell->add();
  }

 private:
  struct Status {
    uint16_t status;
    std::array<observability::LateCounters::Cell*, 3> cells;  // null: it cannot be counted
  };

  static void count(const Status& status) {
    for (observability::LateCounters::Cell* cell : status.cells) {
      if (cell != nullptr) cell->add();
    }
  }
  const Status& newStatus(uint16_t status) {
    const std::string code = std::to_string(status);
    const std::string begin = base::strCat(prefix_, ".upstream_rq_");
    Status& made = statuses_.emplace_back(Status{.status = status, .cells = {}});
    made.cells = {counts_.cellOf(base::strCat(begin, "completed")),
                  counts_.cellOf(base::strCat(begin, code.substr(0, 1), "xx")),
                  counts_.cellOf(base::strCat(begin, code))};
    return made;
  }

  observability::LateCounts& counts_;
  const std::string prefix_;
  std::vector<Status> statuses_;  // that came before
};

}  // namespace sluice::upstream
