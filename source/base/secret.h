// Comparing what somebody says with a secret.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace sluice::base {

// In time that tells nothing of where they differ; of their lengths it may.
inline bool sameSecret(std::string_view one, std::string_view other) {
  unsigned difference = one.size() != other.size();
  for (size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    difference |= static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]);
  }
  return difference == 0;
}

}  // namespace sluice::base
