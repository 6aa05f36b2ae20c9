// Registers envoy.extensions.access_loggers.file.v3.FileAccessLog: lines into a file.
#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::access_loggers::file {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::access_loggers::file
