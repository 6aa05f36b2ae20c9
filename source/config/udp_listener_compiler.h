// What a listener of UDP differs in from one of TCP. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/services.h"
#include "source/listener/listener.h"

namespace sluice::config {

// By its first address.
bool isUdp(const envoy::config::listener::v3::Listener& listener);

// Refuses what only TCP has.
listener::UdpSettings compileUdpListener(const envoy::config::listener::v3::Listener& listener,
                                         const FactoryContext& context);

// Refuses on a TCP listener what only UDP has.
void refuseUdpSettings(const envoy::config::listener::v3::Listener& listener, const Context& context,
                       const Services& services);

}  // namespace sluice::config
