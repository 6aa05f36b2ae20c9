// Types of Envoy's that are refused on purpose, by package: the table of refused_types.md. Any thread.
#pragma once

#include <string_view>
#include <vector>

namespace sluice::config {

struct RefusedPackage {
  std::string_view package;  // and those below it
  std::string_view reason;   // and what to do
};

// Sorted by package.
const std::vector<RefusedPackage>& refusedPackages();
// Empty: the type of that full name is not among them.
std::string_view refusalReason(std::string_view full_name);

}  // namespace sluice::config
