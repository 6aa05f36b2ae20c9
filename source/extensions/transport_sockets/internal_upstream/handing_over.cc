#include "source/extensions/transport_sockets/internal_upstream/handing_over.h"

namespace sluice::extensions::transport_sockets::internal_upstream {

std::shared_ptr<stream::ConnectionState> HandingOver::handedOver(const Options& options) const {
  stream::ConnectionStatePtr out;
  if (options.shared != nullptr) stream::madeIn(out).filter_state = *options.shared;
  for (const MetadataSource& source : settings_.metadata) {
    const stream::FixedMetadata* metadata = source.of_cluster ? options.cluster_metadata : options.host_metadata;
    const auto* fields = metadata == nullptr ? nullptr : stream::fieldsUnder(metadata->fields(), source.name);
    if (fields == nullptr) {
      if (options.cells != nullptr) options.cells->add(settings_.no_metadata);
      continue;
    }
    for (const stream::MetadataField& field : *fields) {
      stream::madeIn(out).metadata.set(source.name, field.name, field.value);
    }
  }
  return out;
}

}  // namespace sluice::extensions::transport_sockets::internal_upstream
