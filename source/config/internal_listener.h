// Internal listeners: what is theirs in a Listener. Thread: main. Run after
// validate().
#pragma once

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/errors.h"
#include "source/config/listener_compiler.h"

namespace sluice::config {

// The address that its name is. What only sockets have is refused. `context` stands at the listener.
void compileInternalAddress(const envoy::config::listener::v3::Listener& listener, const Context& context,
                            CompiledListener& compiled);

}  // namespace sluice::config
