// The configuration of subsets. (proto: Subset, Cluster.LbSubsetConfig)
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/observability/stats.h"
#include "source/stream/metadata_criteria.h"
#include "source/upstream/lb/policy.h"

namespace sluice::extensions::load_balancing_policies::subset {

// Where a request goes for which there is no subset. (proto: LbSubsetFallbackPolicy, LbSubsetSelectorFallbackPolicy)
enum class Fallback : uint8_t {
  kNotDefined,  // of a selector: what holds for all
  kNoHost,
  kAnyHost,
  kDefaultSubset,
  kFewerKeys,  // of a selector: to the subset that `fallback_keys` of its criteria name
};

struct Selector {
  std::vector<std::string> keys;  // ascending, each once
  Fallback fallback = Fallback::kNotDefined;
  std::vector<std::string> fallback_keys;  // some of the keys, not all; kFewerKeys only
  bool single_host = false;                // of several hosts of a subset the first counts
};

// In cells of a worker, and of main.
struct Stats {
  observability::Counter created, removed, selected, fallback, fallback_panic;
  observability::Gauge active, single_host_duplicate;
};

struct Settings {
  std::shared_ptr<const upstream::lb::LbPolicy> inner;  // chooses in a subset; never null
  std::vector<Selector> selectors;                      // each with other keys
  Fallback fallback = Fallback::kNoHost;                // kNoHost, kAnyHost or kDefaultSubset
  stream::MetadataCriteria default_subset;
  bool locality_weight_aware = false;
  bool scale_locality_weight = false;
  bool panic_mode_any = false;  // any host where the fallback has none
  bool list_as_any = false;     // a host is in the subset of each value of a list, not of the list
  bool fallback_list = false;   // criteria may list others to try
  Stats stats;
  observability::StatsHold scope;                   // keeps them
  observability::StatsCells* main_cells = nullptr;  // null: nobody counts
};

}  // namespace sluice::extensions::load_balancing_policies::subset
