// What names keys of the runtime layers, as the values that hold now. Thread: main.
#pragma once

#include <string_view>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

runtime::Fraction compileFraction(const envoy::type::v3::FractionalPercent& percent);

// The value of the runtime key, else default_value. `snapshot`: null where no layers are known, as in a control plane.
runtime::Fraction compileFraction(const envoy::config::core::v3::RuntimeFractionalPercent& percent,
                                  const runtime::Snapshot* snapshot);
// All, or what the key says.
runtime::Fraction shareOf(std::string_view runtime_key, const runtime::Snapshot* snapshot);
double compileNumber(const envoy::config::core::v3::RuntimeDouble& number, const runtime::Snapshot* snapshot);
bool compileFlag(const envoy::config::core::v3::RuntimeFeatureFlag& flag, const runtime::Snapshot* snapshot);

}  // namespace sluice::config
