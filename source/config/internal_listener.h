// Internal listeners: what is theirs in a Listener, and how connections to them are made. Thread: main. Run after
// validate().
#pragma once

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/errors.h"
#include "source/config/listener_compiler.h"

namespace sluice::config {

// The address that its name is. What only sockets have is refused. `context` stands at the listener.
void compileInternalAddress(const envoy::config::listener::v3::Listener& listener, const Context& context,
                            CompiledListener& compiled);

}  // namespace sluice::config
