// Names that the filter answers for, compiled. Immutable, shared by all workers. (proto: envoy.data.dns.v3.DnsTable)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "source/net/address.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::udp_filters::dns_filter {

struct ServiceTarget {
  std::string name;                            // (name.h)
  std::optional<upstream::ClusterId> cluster;  // whose hosts have the addresses
  uint16_t priority = 0, weight = 0, port = 0;
};

struct Domain {
  std::vector<net::Address> ipv4, ipv6;
  std::optional<upstream::ClusterId> cluster;  // whose hosts have the addresses
  std::vector<ServiceTarget> targets;          // of a service
  uint32_t ttl = 300;                          // seconds
};

class Table {
 public:
  // The domain of a name, made if there is none. `below`: of all names below it that have none of their own.
  Domain& domain(const std::string& name, bool below = false);

  // Null: it has none. By the names that are its parents too.
  const Domain* find(std::string_view name) const;
  // Whether the table, and nobody else, says what there is: a domain has the same last two labels.
  bool answersFor(std::string_view name) const;

 private:
  absl::flat_hash_map<std::string, Domain> domains_;
  absl::flat_hash_map<std::string, Domain> below_;
  absl::flat_hash_set<std::string> suffixes_;
};

}  // namespace sluice::extensions::udp_filters::dns_filter
