// Which hosts have which slots, as a node of a Redis Cluster says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "source/net/address.h"

namespace sluice::extensions::clusters::redis {

// Immutable once made.
struct SlotMap {
  // Slots that the same hosts have.
  struct Range {
    uint16_t first = 0, last = 0;
    net::Address primary;
    std::vector<net::Address> replicas;

    friend bool operator==(const Range&, const Range&) = default;
  };
  std::vector<Range> ranges;

  friend bool operator==(const SlotMap&, const SlotMap&) = default;
};

inline constexpr size_t kMaxRanges = 16384;
inline constexpr size_t kMaxReplicas = 64;  // of one range

// The answer to CLUSTER SLOTS, a whole message. `asked`: the node that gave it, whose own address it may leave out.
// Replicas without an address are passed over. nullopt: it is no such answer, or gives no slot to anybody.
std::optional<SlotMap> slotsOf(std::string_view frame, const net::Address& asked);

}  // namespace sluice::extensions::clusters::redis
