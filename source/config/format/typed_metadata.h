// The typed part of metadata, of which one key means something. (proto: Metadata.typed_filter_metadata)
// Thread: main.
#pragma once

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/errors.h"
#include "source/stream/metadata.h"

namespace sluice::config {

// Reports keys of extensions of Envoy that are not here, and values that are none. `context` stands at the metadata.
void checkTypedMetadata(const envoy::config::core::v3::Metadata& metadata, const Context& context);
// Adds what was found good by that.
void addTypedMetadata(const envoy::config::core::v3::Metadata& metadata, stream::MetadataFields& by_filter);

}  // namespace sluice::config
