#include "source/extensions/retry/host/omit_host_metadata/predicate.h"

namespace sluice::extensions::retry::host::omit_host_metadata {

bool Predicate::refuses(const route::RetryHost& host) const {
  if (wanted_.empty()) return false;
  const auto* const fields = stream::fieldsUnder(host.metadata, stream::kBalancingMetadata);
  return stream::hasAll(fields, wanted_.criteria(), stream::Lists::kEach);
}

}  // namespace sluice::extensions::retry::host::omit_host_metadata
