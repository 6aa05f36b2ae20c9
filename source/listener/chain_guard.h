// Tells requests that came over a connection of another filter chain than their host would have got.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/filter/network.h"

namespace sluice::listener {

// Knows the chains by their server names alone: among chains that share the best name of a host any one is right.
class ServerNameGuard : public filter::ChainGuard {
 public:
  // Names as in ChainMatch; none: the chain takes hosts that no other names.
  void add(const std::vector<std::string>& server_names, size_t chain);

  bool misdirected(std::string_view host, const void* chosen) const override;

  static const void* handleOf(size_t chain) { return reinterpret_cast<const void*>(chain + 1); }

 private:
  const std::vector<size_t>* chainsOf(std::string_view host) const;

  absl::flat_hash_map<std::string, std::vector<size_t>> chains_;  // wildcards with their dot first, "" for no names
};

}  // namespace sluice::listener
