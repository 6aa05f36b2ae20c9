// The answers of a cluster by who asked for them, an internal caller or another, and those of canaries.
// (stats: cluster.NAME.{internal,external,canary}.upstream_rq_{completed,Nxx,NNN})
#pragma once

#include <cstdint>

#include "source/upstream/status_counts.h"

namespace sluice::upstream {

// Thread: the worker's.
class OriginCounts {
 public:
  explicit OriginCounts(observability::LateCounts& counts)
      : internal_(counts, "internal"), external_(counts, "external"), canary_(counts, "canary") {}

  // A final answer, of a host or in its stead. `internal`: the caller is.
  void add(uint16_t status, bool internal, bool canary) {
    (internal ? internal_ : external_).add(status);
    if (canary) canary_.add(status);
  }
  // The same, as completed only.
  void addCompleted(bool internal, bool canary) {
    (internal ? internal_ : external_).addCompleted();
    if (canary) canary_.addCompleted();
  }

 private:
  StatusCounts internal_, external_, canary_;
};

}  // namespace sluice::upstream
