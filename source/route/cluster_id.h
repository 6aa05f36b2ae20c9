// A cluster by number: those of tables, filters and workers, given out by ClusterNames (cluster_names.h).
#pragma once

#include <cstdint>

namespace sluice::route {

using ClusterId = uint32_t;
inline constexpr ClusterId kNoCluster = UINT32_MAX;

}  // namespace sluice::route
