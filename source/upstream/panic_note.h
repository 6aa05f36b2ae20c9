// What the access log tells of panic: %DYNAMIC_METADATA(sluice.router:panic)%.
#pragma once

#include <string>

#include "source/stream/stream_info.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream {

// A choice fell to hosts in panic (LbContext::panicked). `all_hosts`: it was among all, healthy or not; `no_host`: it
// was for none, as fail_traffic_on_panic says.
inline void notePanic(stream::StreamInfo& info, cluster::HostSlot chosen) {
  info.metadata().set("sluice.router", "panic", {std::string(chosen == cluster::kNoHost ? "no_host" : "all_hosts")});
}

}  // namespace sluice::upstream
