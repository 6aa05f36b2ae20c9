#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::compressor::brotli {

// envoy.extensions.compression.brotli.compressor.v3.Brotli.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::compressor::brotli
