// The answers of a cluster by who asked for them, an internal caller or another, and those of canaries. Each name comes
// up with the first answer of its kind.
// (stats: cluster.NAME.{internal,external,canary}.upstream_rq_{completed,Nxx,NNN})
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "source/observability/late_counters.h"

namespace sluice::upstream {

// Thread: the worker's.
class OriginCounts {
 public:
  explicit OriginCounts(observability::LateCounts& counts) : counts_(counts) {}

  // A final answer, of a host or in its stead. `internal`: the caller is.
  void add(uint16_t status, bool internal, bool canary) {
    addTo(internal ? internal_ : external_, status);
    if (canary) addTo(canary_, status);
  }
  // The same, as completed only.
  void addCompleted(bool internal, bool canary) {
    addCompleted(internal ? internal_ : external_);
    if (canary) addCompleted(canary_);
  }

 private:
  struct Status {
    uint16_t status;
    std::array<observability::LateCounters::Cell*, 3> cells;  // null: it cannot be counted
  };
  struct Origin {
    std::string_view name;              // static text
    std::vector<Status> statuses = {};  // that came before
  };

  void addTo(Origin& origin, uint16_t status) {
    for (const Status& known : origin.statuses) {
      if (known.status == status) return count(known);
    }
    count(newStatus(origin, status));
  }
  static void count(const Status& status) {
    for (observability::LateCounters::Cell* cell : status.cells) {
      if (cell != nullptr) cell->add();
    }
  }
  const Status& newStatus(Origin& origin, uint16_t status);
  void addCompleted(Origin& origin);

  observability::LateCounts& counts_;
  Origin internal_{"internal"}, external_{"external"}, canary_{"canary"};
};

}  // namespace sluice::upstream
