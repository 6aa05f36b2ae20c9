// Whom requests ask for clusters that are not there. (proto: OnDemandCds)
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sluice::route {

// Held through a shared_ptr whose deleter tells main that nobody asks there any more.
struct ClusterSource {
  uint32_t id = 0;
  // Asks for the cluster of that name, for the worker of that number; it is told when it has the cluster, or will not
  // have it. To be called on main. Empty: nobody brings any.
  std::function<void(const std::string& name, uint32_t worker)> ask = {};
};

}  // namespace sluice::route
