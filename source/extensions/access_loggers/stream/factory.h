// Registers envoy.extensions.access_loggers.stream.v3.StdoutAccessLog and StderrAccessLog: lines to the descriptors
// that the process was started with.
#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::access_loggers::stream {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::access_loggers::stream
