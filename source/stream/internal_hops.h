// How many internal listeners a request has come through, so that one which leads to itself ends. The number goes from
// connection to connection of this process in a field of the head, which nobody else is asked or told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "source/http/headers.h"
#include "source/net/address.h"
#include "source/net/internal_listeners.h"

namespace sluice::stream {

inline constexpr std::string_view kInternalHops = "x-sluice-internal-hops";

// Of a request that came by an internal listener; the field goes off its head. At least 1.
inline uint8_t takeInternalHops(http::RequestHeaders& head) {
  uint32_t hops = 1;
  if (const auto told = head.get(kInternalHops)) {
    if (!absl::SimpleAtoi(absl::string_view(told->data(), told->size()), &hops)) hops = 1;
    head.remove(kInternalHops);
  }
  return static_cast<uint8_t>(std::clamp<uint32_t>(hops, 1, UINT8_MAX));
}

// Where `next` is an internal listener, `head` tells it by whatever number this one came. False: they are too many, one
// leads to itself.
[[nodiscard]] inline bool tellInternalHops(const net::Address& next, uint8_t hops, http::RequestHeaders& head) {
  if (!next.isListener()) return true;
  if (hops >= net::InternalListeners::kMostHops) return false;
  head.set(kInternalHops, std::to_string(hops + 1));
  return true;
}

}  // namespace sluice::stream
