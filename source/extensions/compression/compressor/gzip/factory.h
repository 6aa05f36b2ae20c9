#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::compressor::gzip {

// envoy.extensions.compression.gzip.compressor.v3.Gzip.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::compressor::gzip
