#include "source/stream/object_types.h"

#include <algorithm>
#include <charconv>

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

bool isMilliseconds(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool isBoolean(std::string_view text) {
  return text == "true" || text == "false";
}

constexpr ObjectType kTypes[] = {
    {"envoy.hashable_string", anything},          {"envoy.string", anything},
    {kOriginalLocalState, isAddress, true},       {kOriginalRemoteState, isAddress, true},
    {kTcpClusterState, something, true},          {kNoTunnelState, isBoolean, true},
    {kTcpIdleTimeoutState, isMilliseconds, true}, {kUpstreamNameState, something, true},
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
