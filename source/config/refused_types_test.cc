#include "source/config/refused_types.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "source/config/any_type.h"
#include "source/config/known_fields.h"

namespace sluice::config {
namespace {

TEST_CASE("each refused package is one of Envoy's, has a reason and stands once, in order") {
  const auto& refused = refusedPackages();
  REQUIRE(refused.size() > 30);
  const auto messages = knownMessages();
  for (const RefusedPackage& each : refused) {
    INFO(each.package);
    CHECK(each.reason.size() > 20);
    const std::string prefix = std::string(each.package) + ".";
    CHECK(
        std::any_of(messages.begin(), messages.end(), [&](std::string_view name) { return name.starts_with(prefix); }));
  }
  CHECK(std::is_sorted(refused.begin(), refused.end(),
                       [](const auto& a, const auto& b) { return a.package < b.package; }));
}

TEST_CASE("who names a refused type is told why, and what to do") {
  const std::string told =
      unknownTypeMessage("type.googleapis.com/envoy.extensions.transport_sockets.starttls.v3.StartTlsConfig");
  CHECK(told.find("StartTlsConfig is Envoy's and not supported: only filters that speak") != std::string::npos);
  CHECK(told.find("use a TLS context") != std::string::npos);
}

TEST_CASE("a package is none of those whose names only begin alike") {
  CHECK(refusalReason("envoy.extensions.wasm.v3.PluginConfig") != "");
  CHECK(refusalReason(
            "envoy.extensions.filters.network.thrift_proxy.filters.payload_to_metadata.v3.PayloadToMetadata") != "");
  CHECK(refusalReason("envoy.extensions.wasmtime.v3.PluginConfig") == "");
  CHECK(refusalReason("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy") == "");
}

TEST_CASE("what is linked is not refused") {
  for (const RefusedPackage& each : refusedPackages()) {
    INFO(each.package);
    for (const std::string_view name : knownMessages()) {
      if (name.starts_with(std::string(each.package) + ".")) CHECK(newMessage(name) == nullptr);
    }
  }
}

}  // namespace
}  // namespace sluice::config
