// layered_runtime as a snapshot. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/errors.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

struct CompiledRuntime {
  std::shared_ptr<const runtime::Snapshot> snapshot;   // never null
  std::map<std::string, Context, std::less<>> places;  // where the value of each key stands
};

// `context` stands at the layered_runtime.
CompiledRuntime compileRuntime(const envoy::config::bootstrap::v3::LayeredRuntime& layers, const Context& context);

}  // namespace sluice::config
