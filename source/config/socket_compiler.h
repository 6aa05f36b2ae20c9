// What a listener's sockets are made with. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include <vector>

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/errors.h"
#include "source/net/socket.h"

namespace sluice::config {

std::vector<net::SocketOption> compileSocketOptions(const envoy::config::listener::v3::Listener& listener,
                                                    const Context& context);

}  // namespace sluice::config
