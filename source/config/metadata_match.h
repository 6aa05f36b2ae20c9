#pragma once

// What routes want of the metadata of hosts.

#include <memory>

#include "envoy/config/core/v3/base.pb.h"

#include "source/stream/metadata_criteria.h"

namespace sluice::config {

// The fields under "envoy.lb", over those that stand `above`; null: there are none.
std::shared_ptr<const stream::MetadataCriteria> compileMetadataMatch(
    const envoy::config::core::v3::Metadata& metadata,
    const std::shared_ptr<const stream::MetadataCriteria>& above = nullptr);

}  // namespace sluice::config
