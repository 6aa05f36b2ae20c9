#include "source/match/input.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

#include "source/stream/metadata.h"

namespace sluice::match {
namespace {

// 2^63: the least whole number that int64_t cannot hold.
constexpr double kAboveIntegers = 9223372036854775808.0;

template <typename T>
std::optional<T> fromText(std::string_view text) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(number)) return std::nullopt;
  }
  return number;
}

}  // namespace

bool fromThisHost(const net::Address& remote, const net::Address& local) {
  if (!remote.isIp() || remote.isLoopback()) return true;
  return remote.withPort(0) == local.withPort(0);
}

std::optional<net::Address> addressOf(const Value& value) {
  if (value.address != nullptr) return *value.address;
  return value.text ? net::Address::fromIp(*value.text, 0) : std::nullopt;
}

template <typename T>
std::optional<T> numberOf(const Value& value) {
  const auto* number = value.structured == nullptr ? nullptr : std::get_if<double>(&value.structured->value);
  if (number == nullptr) return value.text ? fromText<T>(*value.text) : std::nullopt;
  if constexpr (std::is_integral_v<T>) {
    const bool whole = std::floor(*number) == *number && *number >= -kAboveIntegers && *number < kAboveIntegers;
    return whole ? std::optional(static_cast<T>(*number)) : std::nullopt;
  } else {
    return *number;
  }
}

template std::optional<int64_t> numberOf(const Value& value);
template std::optional<double> numberOf(const Value& value);

}  // namespace sluice::match
