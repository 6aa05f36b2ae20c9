// Where a key belongs in a Redis Cluster.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::redis {

inline constexpr uint16_t kSlots = 16384;

// What counts of a key: the text between its first '{' and the next '}' behind that, if there is any; else all of it.
std::string_view hashTag(std::string_view key);

// CRC16 (XMODEM) of the hash tag, below kSlots.
uint16_t keySlot(std::string_view key);

// Which host of a slot a command may go to. (proto: RedisProxy.ConnPoolSettings.ReadPolicy)
enum class Read : uint8_t { kPrimary, kPreferPrimary, kReplica, kPreferReplica, kAny };

// Where a command is to go, for clusters whose hosts have slots.
struct Target {
  uint16_t slot = 0;
  Read read = Read::kPrimary;  // of a command that writes: kPrimary
};

}  // namespace sluice::redis
