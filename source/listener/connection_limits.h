// How many connections of clients there may be at once. Owned by the process, outlives all workers; main fills it
// before they accept.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "source/base/shared_limit.h"

namespace sluice::listener {

struct ConnectionLimits {
  // Of all listeners together that do not ignore it. (proto: DownstreamConnectionsConfig)
  std::optional<base::SharedLimit> process;
  // By the listener's name. (runtime key: envoy.resource_limits.listener.NAME.connection_limit)
  std::map<std::string, base::SharedLimit, std::less<>> by_listener;

  base::SharedLimit* ofProcess() { return process ? &*process : nullptr; }
  base::SharedLimit* ofListener(std::string_view name) {
    const auto found = by_listener.find(name);
    return found == by_listener.end() ? nullptr : &found->second;
  }
};

}  // namespace sluice::listener
