#include "source/listener/chain_guard.h"

#include <algorithm>

namespace sluice::listener {

void ServerNameGuard::add(const std::vector<std::string>& server_names, size_t chain) {
  for (const std::string& name : server_names) {
    chains_[name.starts_with("*.") ? name.substr(1) : name].push_back(chain);
  }
  if (server_names.empty()) chains_[""].push_back(chain);
}

const std::vector<size_t>* ServerNameGuard::chainsOf(std::string_view host) const {
  auto find = [this](std::string_view name) {
    const auto found = chains_.find(absl::string_view(name.data(), name.size()));
    return found == chains_.end() ? nullptr : &found->second;
  };
  if (const auto* exact = find(host)) return exact;
  for (size_t dot = host.find('.', 1); dot < host.size(); dot = host.find('.', dot + 1)) {
    if (const auto* suffix = find(host.substr(dot))) return suffix;
  }
  return find("");
}

bool ServerNameGuard::misdirected(std::string_view host, const void* chosen) const {
  const std::vector<size_t>* chains = chainsOf(host);
  if (chains == nullptr) return true;  // a connection for this host would have been closed
  return std::none_of(chains->begin(), chains->end(), [chosen](size_t chain) { return handleOf(chain) == chosen; });
}

}  // namespace sluice::listener
