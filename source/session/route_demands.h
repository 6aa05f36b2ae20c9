// What requests of a worker wait for of the routes and clusters that come on demand. Thread: the worker's.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/filter/route_waiter.h"

namespace sluice::session {

// The table of a scope, by the slot of the scopes and the scope's key, or a virtual host of a table, by the slot of the
// table and the name, or a cluster, by the number of its source and the name.
struct RouteDemand {
  enum class Of : uint8_t { kScope, kHost, kCluster };

  Of of = Of::kScope;
  uint32_t slot = 0;
  std::string key;

  auto operator<=>(const RouteDemand&) const = default;
};

class RouteDemands {
 public:
  static constexpr size_t kMax = 1024;

  // Has `waiter` wait; `ask` is called if it is the first to do so. False: too much is waited for.
  bool wait(RouteDemand demand, filter::RouteWaiter& waiter, const std::function<void(const RouteDemand&)>& ask);
  // Main has put in place what there is for it.
  void done(const RouteDemand& demand);
  size_t size() const { return waiters_.size(); }

 private:
  std::map<RouteDemand, base::List<filter::RouteWaiter>> waiters_;
};

}  // namespace sluice::session
