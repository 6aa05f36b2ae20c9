// A listener's filters as protos -> what workers run. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/services.h"
#include "source/listener/inspection.h"

namespace sluice::config {

listener::InstalledFilters compileListenerFilters(const envoy::config::listener::v3::Listener& listener,
                                                  const FactoryContext& context);

// Whether one of them sees the server name that a client asks for.
bool findsServerNames(const envoy::config::listener::v3::Listener& listener, const Services& services);

}  // namespace sluice::config
