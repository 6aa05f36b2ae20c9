// The groups that a route is for, of a per-route message with `allowed_groups` and `denied_groups`.
#pragma once

#include <memory>

#include "source/filter/credentials/group_access.h"
#include "source/route/filter_slots.h"

namespace sluice::config {

// As the settings of a route that filter::ConsumerGate asks for.
template <typename PerRoute>
std::shared_ptr<const route::PerFilterConfig> compileGroupAccess(const PerRoute& proto) {
  return std::make_shared<route::RouteSettings<filter::GroupAccess>>(
      filter::GroupAccess{{proto.allowed_groups().begin(), proto.allowed_groups().end()},
                          {proto.denied_groups().begin(), proto.denied_groups().end()}});
}

}  // namespace sluice::config
