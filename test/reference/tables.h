// Tables by hash, naively: a ring that is searched from its beginning, and Maglev's as the paper fills it, from written
// out permutations. What hosts are called there is the API's words.
//
// (Karger et al., "Consistent Hashing and Random Trees"; Eisenbud et al., "Maglev", section 3.4; proto:
// RingHashLbConfig, MaglevLbConfig, LocalityLbEndpoints)
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "source/base/xx_hash.h"
#include "source/stream/metadata.h"
#include "test/reference/traffic.h"

namespace sluice::reference {

// A host of a table. `weight`: its share of the priority, as localities and weights say.
struct Candidate {
  std::string address;
  std::string key;
  double weight;
};

inline std::string keyOf(const Endpoint& endpoint, bool use_hostname) {
  if (const stream::MetadataFields* fields = endpoint.metadata.fields()) {
    const stream::MetadataValue* value = stream::findMetadata(*fields, "envoy.lb", {"hash_key"});
    if (value != nullptr) return std::get<std::string>(value->value);
  }
  return use_hostname && !endpoint.hostname.empty() ? endpoint.hostname : endpoint.address.toString();
}

// The hosts that share a load. Weights of localities are as configured, however many of their hosts are available: a
// host whose neighbours fail keeps its places. Those of a locality that has no host now are not there.
inline std::vector<Candidate> candidatesOf(const Scenario& scenario, const Load& load, bool use_hostname) {
  const Traffic traffic(scenario);
  std::vector<LocalityEndpoints> localities;
  for (const LocalityEndpoints& locality : scenario.assignment.localities) {
    if (locality.priority == load.priority && !locality.endpoints.empty()) localities.push_back(locality);
  }
  double all_weights = 0, serving_weights = 0;
  for (LocalityEndpoints& locality : localities) {
    all_weights += locality.weight;
    std::erase_if(locality.endpoints, [&](const Endpoint& endpoint) { return !traffic.serves(endpoint, load); });
    if (!locality.endpoints.empty()) serving_weights += locality.weight;
  }
  const bool weighted = scenario.options.locality_weighted && !load.panic && serving_weights > 0;
  if (weighted) {
    std::sort(localities.begin(), localities.end(), [](auto& a, auto& b) { return a.locality < b.locality; });
  }
  std::vector<Candidate> out;
  double all = 0;
  for (const LocalityEndpoints& locality : localities) {
    for (const Endpoint& endpoint : locality.endpoints) all += endpoint.weight;
  }
  for (const LocalityEndpoints& locality : localities) {
    double sum = 0;
    for (const Endpoint& endpoint : locality.endpoints) sum += endpoint.weight;
    const double share = weighted ? locality.weight / all_weights : 1.0;
    for (const Endpoint& endpoint : locality.endpoints) {
      const double weight = endpoint.weight * share / (weighted ? sum : all);
      if (weight > 0) out.push_back({endpoint.address.toString(), keyOf(endpoint, use_hostname), weight});
    }
  }
  return out;
}

// The host with the least weight stands at a whole number of places, so many that there are `minimum` of them for a sum
// of 1; more than `maximum` there are not. Part of a place goes over to the next host.
class NaiveRing {
 public:
  NaiveRing(const std::vector<Candidate>& hosts, uint64_t minimum, uint64_t maximum) {
    double least = 1;
    for (const Candidate& host : hosts) least = std::min(least, host.weight);
    const double places =
        std::min(std::ceil(least * static_cast<double>(minimum)) / least, static_cast<double>(maximum));
    double until = 0;
    for (const Candidate& host : hosts) {
      until += places * host.weight;
      for (int number = 0; static_cast<double>(ring_.size()) < until; ++number) {
        ring_.emplace(base::xxHash64(host.key + "_" + std::to_string(number)), host.address);
      }
    }
  }

  // The host at the first place that is not before the hash, or `attempt` places behind it.
  std::string at(uint64_t hash, uint32_t attempt) const {
    auto found = ring_.begin();
    while (found != ring_.end() && found->first < hash) ++found;
    if (found == ring_.end()) found = ring_.begin();
    for (; attempt > 0; --attempt) {
      if (++found == ring_.end()) found = ring_.begin();
    }
    return found->second;
  }

 private:
  std::map<uint64_t, std::string> ring_;
};

class NaiveMaglev {
 public:
  NaiveMaglev(std::vector<Candidate> hosts, uint64_t size) : table_(size) {
    std::sort(hosts.begin(), hosts.end(), [](auto& a, auto& b) { return a.key < b.key; });
    double heaviest = 0;
    for (const Candidate& host : hosts) heaviest = std::max(heaviest, host.weight);
    std::vector<std::vector<uint64_t>> permutations;
    for (const Candidate& host : hosts) {
      const uint64_t offset = base::xxHash64(host.key) % size, skip = base::xxHash64(host.key, 1) % (size - 1) + 1;
      auto& permutation = permutations.emplace_back();
      for (uint64_t j = 0; j < size; ++j) permutation.push_back((offset + j * skip) % size);
    }
    std::vector<uint64_t> next(hosts.size(), 0);
    // A host has had as many turns as its part of the heaviest one's; summed up, as a product would round otherwise.
    std::vector<double> due(hosts.size(), 0);
    uint64_t filled = 0;
    for (int round = 1; filled < size; ++round) {
      for (size_t i = 0; i < hosts.size() && filled < size; ++i) {
        if (round * hosts[i].weight < due[i]) continue;
        due[i] += heaviest;
        while (!table_[permutations[i][next[i]]].empty()) ++next[i];
        table_[permutations[i][next[i]]] = hosts[i].address;
        ++filled;
      }
    }
  }

  std::string at(uint64_t hash, uint32_t attempt) const {
    if (attempt > 0) hash ^= ~uint64_t{attempt} + 1;
    return table_[hash % table_.size()];
  }

 private:
  std::vector<std::string> table_;
};

// The load in whose part of 100 the hash falls.
inline const Load* loadAt(const std::vector<Load>& loads, uint64_t hash) {
  uint64_t end = 0;
  for (const Load& load : loads) {
    end += load.percent;
    if (hash % 100 < end) return &load;
  }
  return nullptr;
}

}  // namespace sluice::reference
