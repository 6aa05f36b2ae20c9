// Which virtual host an authority belongs to (proto: VirtualHost.domains).
//
// Envoy's precedence: the exact domain, then the longest suffix wildcard (`*.foo.com`, `*-bar.foo.com`), then the
// longest prefix wildcard (`foo.*`), then `*`. A wildcard stands for at least one byte. Case is ignored. The authority
// is compared as sent, port included, unless ports are ignored.
//
// Immutable once built; used by all workers. Lookups allocate nothing (but arena, for a very long authority).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/arena.h"

namespace sluice::route {

inline constexpr uint32_t kNoHost = UINT32_MAX;

class HostIndex {
 public:
  // Adds a domain of a virtual host. If the domain is there already, returns whose it is and changes nothing.
  std::optional<uint32_t> add(std::string_view domain, uint32_t virtual_host);

  // The virtual host of `authority`, or kNoHost.
  uint32_t find(std::string_view authority, base::Arena& arena) const;

 private:
  // Wildcards of one side, without the star.
  struct Wildcards {
    std::vector<uint32_t> lengths;  // distinct, descending
    absl::flat_hash_map<std::string, uint32_t> hosts;

    std::optional<uint32_t> add(std::string_view rest, uint32_t virtual_host);
  };

  absl::flat_hash_map<std::string, uint32_t> exact_;
  Wildcards suffixes_, prefixes_;
  uint32_t any_ = kNoHost;
};

}  // namespace sluice::route
