#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::compressor::zstd {

// envoy.extensions.compression.zstd.compressor.v3.Zstd.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::compressor::zstd
