// What the metadata of a host has to say, for policies that choose by it: values by key, under "envoy.lb".
//
// Compiled for routes, once; made on a worker only where a filter left criteria of its own. Immutable.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source/stream/metadata.h"

namespace sluice::stream {

// Under which name routes, hosts and filters speak about balancing.
inline constexpr std::string_view kBalancingMetadata = "envoy.lb";

// The name of the criterion that lists others to try in turn.
inline constexpr std::string_view kFallbackList = "fallback_list";

struct MetadataCriterion {
  MetadataCriterion(std::string_view key, const MetadataValue& value);

  std::string key;
  std::string value;  // text that equal values have, and no others
  uint64_t hash;      // of both

  friend bool operator==(const MetadataCriterion& a, const MetadataCriterion& b) {
    return a.hash == b.hash && a.key == b.key && a.value == b.value;
  }
};

class MetadataCriteria {
 public:
  MetadataCriteria() = default;
  explicit MetadataCriteria(const MetadataFields& fields);

  // These, with others over them.
  MetadataCriteria with(const MetadataFields& fields) const;

  bool empty() const { return criteria_.empty(); }
  // By key.
  std::span<const MetadataCriterion> criteria() const { return criteria_; }
  // These without kFallbackList, each with an entry of that list over them; once as they are for a list without
  // entries, and for an entry that has no fields. Empty: there is no list.
  std::span<const MetadataCriteria> fallbacks() const { return fallbacks_; }

 private:
  MetadataFields fields_;
  std::vector<MetadataCriterion> criteria_;
  std::vector<MetadataCriteria> fallbacks_;
};

// What a list in the metadata of a host is.
enum class Lists : uint8_t {
  kOneValue,  // it equals an equal list
  kEach,      // each of its elements is a value of the host
};

// What a host has under a key, each value once. `fields`: of the host; null: it has none.
std::vector<MetadataCriterion> criteriaOf(const MetadataFields* fields, std::string_view key, Lists lists);
// Whether the host has all that is wanted.
bool hasAll(const MetadataFields* fields, std::span<const MetadataCriterion> wanted, Lists lists);

// A hash of several criteria, whatever their order: the sum of theirs.
template <typename Criteria>
uint64_t hashOfAll(const Criteria& criteria) {
  uint64_t sum = 0;
  for (const MetadataCriterion& criterion : criteria) sum += criterion.hash;
  return sum;
}

}  // namespace sluice::stream
