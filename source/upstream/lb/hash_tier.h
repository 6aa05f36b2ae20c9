// The hosts of one tier as policies see them that choose by a hash: each with its share of the traffic and the text
// that stands for it in their tables.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::lb {

// (proto: ConsistentHashingLbConfig)
struct ConsistentHashing {
  bool use_hostname = false;    // a host is known by its hostname, if it has one, instead of its address
  uint32_t balance_factor = 0;  // percent of the mean load that a host may have, 100 or more; 0: any load
};

struct HashTier {
  struct Member {
    cluster::HostSlot slot;
    double weight;  // its share of all; what localities that have no available host would get is nobody's
    // `hash_key` under "envoy.lb" of its metadata, else its name or address. Lives as long as the host.
    std::string_view key;
  };

  HashTier(const cluster::HostSet& hosts, const cluster::HostSet::Tier& tier, bool use_hostname);

  std::vector<Member> members;  // never empty
  double least_weight = 1.0;
  double greatest_weight = 0.0;
};

}  // namespace sluice::upstream::lb
