// Domain names as they stand in messages: labels with their lengths in front, without the empty one at the end. In
// lower case a name is a key: labels of any bytes never look like others.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::udp_filters::dns_filter {

inline constexpr size_t kMaxName = 254;  // bytes of all labels with their lengths
inline constexpr size_t kMaxLabel = 63;

// "www.example.com", with or without a dot at its end. nullopt: it is no name.
std::optional<std::string> nameOf(std::string_view text);
// Letters, digits, '-' and '_' only; nullopt: it has other bytes, or no labels.
std::optional<std::string> hostText(std::string_view name);
// Without its first label. Not of the empty name.
std::string_view parentOf(std::string_view name);
// Its last two labels, or the one that it has.
std::string_view suffixOf(std::string_view name);

}  // namespace sluice::extensions::udp_filters::dns_filter
