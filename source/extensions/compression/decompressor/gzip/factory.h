#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::compression::decompressor::gzip {

// envoy.extensions.compression.gzip.decompressor.v3.Gzip.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::compression::decompressor::gzip
