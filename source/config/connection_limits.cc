#include "source/config/connection_limits.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.pb.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr absl::string_view kListenerPrefix = "envoy.resource_limits.listener.";
constexpr absl::string_view kListenerSuffix = ".connection_limit";
constexpr absl::string_view kProcess = "overload.global_downstream_max_connections";

// Keys may be written as one with dots, or nested, or both.
class RuntimeReader {
 public:
  explicit RuntimeReader(ConnectionLimitSettings& out) : out_(out) {}

  void read(const Struct& layer, const std::string& prefix, const Context& context, int depth = 0) {
    if (depth > 32) return context.error("is nested more than 32 levels deep");
    for (const auto& [name, value] : layer.fields()) {
      const std::string key = absl::StrCat(prefix, name);
      const Context at = context.child(name);
      if (value.has_struct_value()) {
        read(value.struct_value(), key + ".", at, depth + 1);
      } else {
        take(key, value, at);
      }
    }
  }

 private:
  void take(absl::string_view key, const Value& value, const Context& context) {
    if (key == kProcess) {
      out_.process = limitOf(value, context);
    } else if (absl::ConsumePrefix(&key, kListenerPrefix) && absl::ConsumeSuffix(&key, kListenerSuffix)) {
      out_.by_listener[std::string(key)] = limitOf(value, context);
    } else {
      context.error(absl::StrCat("no runtime key of this proxy; there are ", kListenerPrefix, "NAME", kListenerSuffix,
                                 " and ", kProcess));
    }
  }

  static uint32_t limitOf(const Value& value, const Context& context) {
    const double number = value.number_value();
    if (!value.has_number_value() || number < 0 || number != std::floor(number)) {
      context.error("has to be a whole number of connections");
      return 0;
    }
    return static_cast<uint32_t>(std::min<double>(number, UINT32_MAX));
  }

  ConnectionLimitSettings& out_;
};

}  // namespace

ConnectionLimitSettings compileConnectionLimits(const Bootstrap& bootstrap, const Context& context) {
  ConnectionLimitSettings out;
  const Context layers = context.child("layered_runtime");
  for (int i = 0; i < bootstrap.layered_runtime().layers_size(); ++i) {
    RuntimeReader(out).read(bootstrap.layered_runtime().layers(i).static_layer(), "",
                            layers.child("layers", i).child("static_layer"));
  }
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
