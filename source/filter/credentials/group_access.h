// Which groups of consumers may use a route.
// Thread: immutable, used by all workers.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace sluice::filter {

struct GroupAccess {
  absl::flat_hash_set<std::string> allowed;  // empty: all
  absl::flat_hash_set<std::string> denied;

  // Who is in these.
  bool admits(const std::vector<std::string>& groups) const {
    const auto isInOne = [&groups](const absl::flat_hash_set<std::string>& set) {
      return std::any_of(groups.begin(), groups.end(),
                         [&set](const std::string& group) { return set.contains(group); });
    };
    return (allowed.empty() || isInOne(allowed)) && (denied.empty() || !isInOne(denied));
  }
};

}  // namespace sluice::filter
