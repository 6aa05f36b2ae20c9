// The facts of a connection as formats read them, while its network filters run. Made on the stack for one call.
#pragma once

#include <string>

#include "source/filter/network_filter.h"
#include "source/stream/stream_info.h"

namespace sluice::filter {

class ConnectionInfo {
 public:
  explicit ConnectionInfo(const NetworkStream& stream)
      : remote_(stream.facts().remote.toString()),
        direct_remote_(stream.facts().direct_remote.toString()),
        local_(stream.facts().local.toString()) {
    const ConnectionFacts& facts = stream.facts();
    info_.start = stream.now();
    info_.start_time = std::chrono::system_clock::now();
    info_.downstream_remote_address = remote_;
    info_.downstream_direct_remote_address = direct_remote_;
    info_.downstream_local_address = local_;
    info_.requested_server_name = facts.server_name;
    info_.downstream_transport = facts.transport;
    if (facts.state) info_.beginWith(*facts.state);
  }
  ConnectionInfo(const ConnectionInfo&) = delete;
  ConnectionInfo& operator=(const ConnectionInfo&) = delete;

  stream::StreamInfo& info() { return info_; }

 private:
  const std::string remote_, direct_remote_, local_;
  stream::StreamInfo info_;
};

}  // namespace sluice::filter
