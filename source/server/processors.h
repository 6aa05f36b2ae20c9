// How many processors this process may use: what `--concurrency` is without the flag.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::server {

// What the control groups of this process allow, in processors: the least quota of the group and those that hold it.
// Nothing if there is none. Version 1 and 2. `root`: in front of /proc and of the mounts, for tests.
std::optional<double> cgroupCpuLimit(const std::string& root = "");

// The least of the hardware's threads, the affinity and the limit of the control groups rounded down; at least 1.
uint32_t defaultConcurrency();

}  // namespace sluice::server
