// Some of the priorities that a cluster's hosts may have, 0 to 128. (proto: LocalityLbEndpoints.priority)
#pragma once

#include <bitset>

namespace sluice::base {

using PrioritySet = std::bitset<129>;

}  // namespace sluice::base
