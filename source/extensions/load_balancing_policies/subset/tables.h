// The subsets of one set of hosts: those of equal metadata under the keys of a selector. Made on main, immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/extensions/load_balancing_policies/subset/settings.h"

namespace sluice::extensions::load_balancing_policies::subset {

using SubsetIndex = uint32_t;
inline constexpr SubsetIndex kNoSubset = UINT32_MAX;

class Tables final : public upstream::lb::LbTables {
 public:
  Tables(const upstream::cluster::HostSet& hosts, const Settings& settings);

  // The subset of exactly these criteria, in any order; of two of equal hash (2^-64) only one is found.
  SubsetIndex find(std::span<const stream::MetadataCriterion* const> criteria) const;
  SubsetIndex find(std::span<const stream::MetadataCriterion> criteria) const;

  SubsetIndex all() const { return all_; }               // kNoSubset: nobody asks for it
  SubsetIndex byDefault() const { return by_default_; }  // same
  // Each with what the inner policy made of it.
  const std::vector<upstream::lb::PreparedHosts>& subsets() const { return subsets_; }
  // The hashes of what find() finds, ascending.
  std::vector<uint64_t> names() const;
  // Hosts that do not count because their subsets may have one only.
  size_t duplicates() const { return duplicates_; }

 private:
  class Builder;

  struct Named {
    std::vector<stream::MetadataCriterion> criteria;
    SubsetIndex subset;
  };
  std::vector<upstream::lb::PreparedHosts> subsets_;
  absl::flat_hash_map<uint64_t, Named> by_hash_;  // hashOfAll(criteria)
  SubsetIndex all_ = kNoSubset;
  SubsetIndex by_default_ = kNoSubset;
  size_t duplicates_ = 0;
};

}  // namespace sluice::extensions::load_balancing_policies::subset
