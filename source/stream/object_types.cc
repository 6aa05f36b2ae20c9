#include "source/stream/object_types.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "source/net/address.h"

namespace sluice::stream {
namespace {

bool anything(std::string_view) {
  return true;
}

bool something(std::string_view text) {
  return !text.empty();
}

// An IP address with its port.
bool isAddress(std::string_view text) {
  const absl::StatusOr<net::Address> address = net::Address::parse(text);
  return address.ok() && address->isIp();
}

std::optional<uint32_t> numberIn(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

bool isMilliseconds(std::string_view text) {
  return numberIn(text).has_value();
}

bool isPort(std::string_view text) {
  const std::optional<uint32_t> number = numberIn(text);
  return number && *number >= 1 && *number <= UINT16_MAX;
}

bool isBoolean(std::string_view text) {
  return text == "true" || text == "false";
}

constexpr ObjectType kTypes[] = {
    {"envoy.hashable_string", anything},
    {"envoy.string", anything},
    {kOriginalLocalState, isAddress, true},
    {kOriginalRemoteState, isAddress, true},
    {kTcpClusterState, something, true},
    {kNoTunnelState, isBoolean, true},
    {kTcpIdleTimeoutState, isMilliseconds, true},
    {kUpstreamNameState, something, true},
    {kUpstreamProtocolsState, something, true},
    {kDynamicHostState, something, true},
    {kDynamicPortState, isPort, true},
};

}  // namespace

const ObjectType* findObjectType(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [name](const auto& one) { return one.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

std::string objectTypeNames() {
  std::string out;
  for (const ObjectType& type : kTypes) {
    if (!out.empty()) out += ", ";
    out += type.name;
  }
  return out;
}

}  // namespace sluice::stream
