// The extensions that `formatters` of a format may name. Thread: main.
#pragma once

#include "absl/status/status.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace sluice::config {

// All that are known bring operators that are in the table of stream/format_operators.cc, so listing one changes
// nothing. An error begins with the place below `formatters` and names those that are known.
absl::Status checkFormatters(
    const google::protobuf::RepeatedPtrField<envoy::config::core::v3::TypedExtensionConfig>& formatters);

}  // namespace sluice::config
