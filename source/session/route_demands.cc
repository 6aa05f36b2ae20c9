#include "source/session/route_demands.h"

#include <utility>

namespace sluice::session {

bool RouteDemands::wait(RouteDemand demand, filter::RouteWaiter& waiter,
                        const std::function<void(const RouteDemand&)>& ask) {
  auto at = waiters_.find(demand);
  if (at == waiters_.end()) {
    // What nobody waits for any more makes room.
    if (waiters_.size() >= kMax) std::erase_if(waiters_, [](const auto& each) { return each.second.empty(); });
    if (waiters_.size() >= kMax) return false;
    at = waiters_.try_emplace(std::move(demand)).first;
    ask(at->first);
  }
  at->second.pushBack(waiter);
  return true;
}

// Whoever is told may end others that wait, and wait again.
void RouteDemands::done(const RouteDemand& demand) {
  const auto waiters = waiters_.extract(demand);
  if (waiters.empty()) return;
  auto& list = waiters.mapped();
  while (!list.empty()) {
    filter::RouteWaiter& waiter = list.front();
    waiter.unlink();
    waiter.onRoutes();
  }
}

}  // namespace sluice::session
