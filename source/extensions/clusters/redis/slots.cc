#include "source/extensions/clusters/redis/slots.h"

#include <algorithm>

#include "source/redis/key_slot.h"
#include "source/redis/resp.h"

namespace sluice::extensions::clusters::redis {

using sluice::redis::Type;
using sluice::redis::Value;

namespace {

// [address, port, id, ...]. A name is no address: nodes announce addresses unless they are told otherwise.
std::optional<net::Address> nodeOf(const Value& value, const net::Address& asked) {
  if (value.type != Type::kArray || value.items.size() < 2) return std::nullopt;
  const Value& port = value.items[1];
  if (port.type != Type::kInteger || port.integer < 1 || port.integer > 65535) return std::nullopt;
  const auto number = static_cast<uint16_t>(port.integer);
  const Value& address = value.items[0];
  if (address.type == Type::kNull || address.text.empty()) return asked.withPort(number);
  return net::Address::fromIp(address.text, number);
}

std::optional<SlotMap::Range> rangeOf(const Value& value, const net::Address& asked) {
  if (value.type != Type::kArray || value.items.size() < 3) return std::nullopt;
  const Value& first = value.items[0];
  const Value& last = value.items[1];
  if (first.type != Type::kInteger || last.type != Type::kInteger) return std::nullopt;
  if (first.integer < 0 || last.integer < first.integer || last.integer >= sluice::redis::kSlots) return std::nullopt;
  const auto primary = nodeOf(value.items[2], asked);
  if (!primary) return std::nullopt;
  SlotMap::Range out{static_cast<uint16_t>(first.integer), static_cast<uint16_t>(last.integer), *primary, {}};
  for (size_t i = 3; i < value.items.size() && out.replicas.size() < kMaxReplicas; ++i) {
    if (const auto replica = nodeOf(value.items[i], asked)) out.replicas.push_back(*replica);
  }
  return out;
}

}  // namespace

std::optional<SlotMap> slotsOf(std::string_view frame, const net::Address& asked) {
  const auto value = sluice::redis::parse(frame);
  if (!value || value->type != Type::kArray || value->items.empty() || value->items.size() > kMaxRanges) {
    return std::nullopt;
  }
  SlotMap out;
  for (const Value& item : value->items) {
    auto range = rangeOf(item, asked);
    if (!range) return std::nullopt;
    out.ranges.push_back(*std::move(range));
  }
  std::sort(out.ranges.begin(), out.ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 1; i < out.ranges.size(); ++i) {
    if (out.ranges[i].first <= out.ranges[i - 1].last) return std::nullopt;
  }
  return out;
}

}  // namespace sluice::extensions::clusters::redis
