#include "source/route/host_index.h"

#include <algorithm>
#include <array>
#include <functional>

#include "source/base/ascii.h"

namespace sluice::route {
namespace {

absl::string_view key(std::string_view text) {
  return {text.data(), text.size()};
}

std::optional<uint32_t> insert(absl::flat_hash_map<std::string, uint32_t>& map, std::string_view text, uint32_t value) {
  const auto [entry, added] = map.try_emplace(std::string(text), value);
  if (added) return std::nullopt;
  return entry->second;
}

}  // namespace

std::optional<uint32_t> HostIndex::Wildcards::add(std::string_view rest, uint32_t virtual_host) {
  const uint32_t length = static_cast<uint32_t>(rest.size());
  const auto at = std::lower_bound(lengths.begin(), lengths.end(), length, std::greater<>());
  if (at == lengths.end() || *at != length) lengths.insert(at, length);
  return insert(hosts, rest, virtual_host);
}

std::optional<uint32_t> HostIndex::add(std::string_view domain, uint32_t virtual_host) {
  std::string text(domain);
  std::transform(text.begin(), text.end(), text.begin(), base::lower);
  const std::string_view view = text;
  if (view == "*") {
    if (any_ != kNoHost) return any_;
    any_ = virtual_host;
    return std::nullopt;
  }
  if (view.starts_with('*')) return suffixes_.add(view.substr(1), virtual_host);
  if (view.ends_with('*')) return prefixes_.add(view.substr(0, view.size() - 1), virtual_host);
  return insert(exact_, view, virtual_host);
}

uint32_t HostIndex::find(std::string_view authority, base::Arena& arena) const {
  if (exact_.empty() && suffixes_.hosts.empty() && prefixes_.hosts.empty()) return any_;

  std::array<char, 256> buffer;
  char* const out = authority.size() <= buffer.size() ? buffer.data() : arena.allocate(authority.size());
  std::transform(authority.begin(), authority.end(), out, base::lower);
  const std::string_view host(out, authority.size());

  if (const auto found = exact_.find(key(host)); found != exact_.end()) return found->second;
  for (const uint32_t length : suffixes_.lengths) {
    if (length >= host.size()) continue;
    const auto found = suffixes_.hosts.find(key(host.substr(host.size() - length)));
    if (found != suffixes_.hosts.end()) return found->second;
  }
  for (const uint32_t length : prefixes_.lengths) {
    if (length >= host.size()) continue;
    const auto found = prefixes_.hosts.find(key(host.substr(0, length)));
    if (found != prefixes_.hosts.end()) return found->second;
  }
  return any_;
}

}  // namespace sluice::route
