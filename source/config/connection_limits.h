// The connection limits of a bootstrap: overload_manager and layered_runtime. Thread: main. Run after validate().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/errors.h"
#include "source/config/runtime_layers.h"

namespace sluice::config {

// As in listener::ConnectionLimits.
struct ConnectionLimitSettings {
  std::optional<uint32_t> process;
  std::map<std::string, uint32_t> by_listener;
};

// `context` stands at the bootstrap, whose runtime is compiled already.
ConnectionLimitSettings compileConnectionLimits(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                const CompiledRuntime& runtime, const Context& context);

}  // namespace sluice::config
