#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::decompressor::brotli {

// envoy.extensions.compression.brotli.decompressor.v3.Brotli.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::decompressor::brotli
