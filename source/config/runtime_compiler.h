// layered_runtime as a snapshot, and what names its keys. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "source/config/errors.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

struct CompiledRuntime {
  std::shared_ptr<const runtime::Snapshot> snapshot;   // never null
  std::map<std::string, Context, std::less<>> places;  // where the value of each key stands
};

// `context` stands at the layered_runtime.
CompiledRuntime compileRuntime(const envoy::config::bootstrap::v3::LayeredRuntime& layers, const Context& context);

runtime::Fraction compileFraction(const envoy::type::v3::FractionalPercent& percent);

// The value of the runtime key, else default_value. `snapshot`: null where no layers are known, as in a control plane.
runtime::Fraction compileFraction(const envoy::config::core::v3::RuntimeFractionalPercent& percent,
                                  const runtime::Snapshot* snapshot);
bool compileFlag(const envoy::config::core::v3::RuntimeFeatureFlag& flag, const runtime::Snapshot* snapshot);

}  // namespace sluice::config
