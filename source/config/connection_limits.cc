#include "source/config/connection_limits.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.pb.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;

constexpr absl::string_view kListenerPrefix = "envoy.resource_limits.listener.";
constexpr absl::string_view kListenerSuffix = ".connection_limit";
constexpr absl::string_view kProcess = "overload.global_downstream_max_connections";

// Beginnings of keys that mean something to Envoy without being named elsewhere. Others below `upstream.` may be keys
// of one's own.
constexpr std::string_view kReserved[] = {"envoy.",
                                          "overload.",
                                          "circuit_breakers.",
                                          "health_check.",
                                          "outlier_detection.",
                                          "tracing.",
                                          "re2.",
                                          "conn_manager.",
                                          "upstream.base_retry_backoff_ms",
                                          "upstream.healthy_panic_threshold",
                                          "upstream.maintenance_mode.",
                                          "upstream.use_retry",
                                          "upstream.weight_enabled",
                                          "upstream.zone_routing."};

// Of those, what clusters ask for: numbers.
constexpr absl::string_view kOfClusters[] = {"upstream.healthy_panic_threshold", "upstream.zone_routing.enabled",
                                             "upstream.zone_routing.min_cluster_size",
                                             "upstream.zone_routing.force_local_zone.min_size"};

void checkClusterNumber(const runtime::Value& value, const Context& context) {
  if (!value.number || !(*value.number >= 0 && *value.number <= UINT32_MAX)) {
    context.error(absl::StrCat("has to be a number from 0 to ", UINT32_MAX));
  }
}

uint32_t limitOf(const runtime::Value& value, const Context& context) {
  if (!value.number || *value.number < 0 || *value.number != std::floor(*value.number)) {
    context.error("has to be a whole number of connections");
    return 0;
  }
  return static_cast<uint32_t>(std::min<double>(*value.number, UINT32_MAX));
}

void readRuntime(const CompiledRuntime& runtime, ConnectionLimitSettings& out) {
  for (const auto& [name, value] : runtime.snapshot->values()) {
    absl::string_view key = name;
    const Context& at = runtime.places.find(name)->second;
    if (key == kProcess) {
      out.process = limitOf(value, at);
    } else if (absl::ConsumePrefix(&key, kListenerPrefix) && absl::ConsumeSuffix(&key, kListenerSuffix)) {
      out.by_listener[std::string(key)] = limitOf(value, at);
    } else if (std::find(std::begin(kOfClusters), std::end(kOfClusters), absl::string_view(name)) !=
               std::end(kOfClusters)) {
      checkClusterNumber(value, at);
    } else if (std::any_of(std::begin(kReserved), std::end(kReserved),
                           [&name = name](std::string_view reserved) { return name.starts_with(reserved); })) {
      at.error(absl::StrCat("no runtime key of this proxy; there are ", kListenerPrefix, "NAME", kListenerSuffix, ", ",
                            kProcess, ", ", absl::StrJoin(kOfClusters, ", "),
                            " and those that other parts of the configuration name as their runtime_key"));
    }
  }
}

}  // namespace

ConnectionLimitSettings compileConnectionLimits(const Bootstrap& bootstrap, const CompiledRuntime& runtime,
                                                const Context& context) {
  ConnectionLimitSettings out;
  readRuntime(runtime, out);
  const auto& monitors = bootstrap.overload_manager().resource_monitors();
  bool seen = false;
  for (int i = 0; i < monitors.size(); ++i) {
    const Context at = context.child("overload_manager").child("resource_monitors", i).child("typed_config");
    const auto message = unpackAny(monitors[i].typed_config(), at);
    if (message == nullptr) continue;
    const auto* connections = dynamic_cast<const DownstreamConnectionsConfig*>(message.get());
    if (connections == nullptr) {
      at.error(absl::StrCat(message->GetTypeName(), " is no resource monitor of this proxy; there is ",
                            DownstreamConnectionsConfig::descriptor()->full_name()));
    } else if (seen) {
      at.error("the connections of clients are limited by another monitor already; remove one of them");
    } else {
      seen = true;
      out.process =
          static_cast<uint32_t>(std::min<int64_t>(connections->max_active_downstream_connections(), UINT32_MAX));
    }
  }
  return out;
}

}  // namespace sluice::config
