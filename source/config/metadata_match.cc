#include "source/config/metadata_match.h"

#include <string>

#include "source/config/format/substitution_format.h"

namespace sluice::config {

std::shared_ptr<const stream::MetadataCriteria> compileMetadataMatch(
    const envoy::config::core::v3::Metadata& metadata, const std::shared_ptr<const stream::MetadataCriteria>& above) {
  const auto at = metadata.filter_metadata().find(std::string(stream::kBalancingMetadata));
  if (at == metadata.filter_metadata().end() || at->second.fields().empty()) return above;
  const stream::MetadataFields fields = fieldsOf(at->second);
  return std::make_shared<const stream::MetadataCriteria>(above ? above->with(fields)
                                                                : stream::MetadataCriteria(fields));
}

}  // namespace sluice::config
