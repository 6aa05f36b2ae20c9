// Names under which filters are told to write dynamic metadata.
#pragma once

#include <string_view>

#include "source/config/errors.h"
#include "source/stream/metadata.h"

namespace sluice::config {

// Reports the one under which filters of authentication say who a request is from. `at` stands at the name.
inline void checkMetadataNamespace(std::string_view name, const Context& at) {
  if (name != stream::kIdentityMetadata) return;
  at.error(
      "is where filters of authentication say who a request is from, and clients could write there; choose another "
      "namespace");
}

}  // namespace sluice::config
