#include "source/extensions/filters/udp/dns_filter/name.h"

#include <algorithm>

#include "source/base/ascii.h"

namespace sluice::extensions::udp_filters::dns_filter {

std::optional<std::string> nameOf(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  std::string out;
  for (;;) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
    out += static_cast<char>(label.size());
    out += base::lowered(label);
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  if (out.size() > kMaxName) return std::nullopt;
  return out;
}

std::optional<std::string> hostText(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  std::string out;
  for (; !name.empty(); name = parentOf(name)) {
    const std::string_view label = name.substr(1, static_cast<unsigned char>(name[0]));
    if (!std::all_of(label.begin(), label.end(), plain)) return std::nullopt;
    if (!out.empty()) out += '.';
    out += label;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

std::string_view parentOf(std::string_view name) {
  return name.substr(std::min(name.size(), size_t{1} + static_cast<unsigned char>(name[0])));
}

std::string_view suffixOf(std::string_view name) {
  for (;;) {
    const std::string_view parent = parentOf(name);
    if (parent.empty() || parentOf(parent).empty()) return name;
    name = parent;
  }
}

}  // namespace sluice::extensions::udp_filters::dns_filter
