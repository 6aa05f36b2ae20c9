#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::decompressor::zstd {

// envoy.extensions.compression.zstd.decompressor.v3.Zstd.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::decompressor::zstd
