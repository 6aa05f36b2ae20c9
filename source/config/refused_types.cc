#include "source/config/refused_types.h"

#include <algorithm>

namespace sluice::config {

// Generated from refused_types.md.
extern const char kRefusedTypesTable[];
extern const unsigned kRefusedTypesTableSize;

namespace {

// Rows are "| `package` | reason |"; all other lines are for people.
std::vector<RefusedPackage> readTable() {
  constexpr std::string_view kBegin = "| `", kMiddle = "` | ", kEnd = " |";
  std::vector<RefusedPackage> out;
  std::string_view rest(kRefusedTypesTable, kRefusedTypesTableSize);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t middle = line.find(kMiddle);
    if (!line.starts_with(kBegin) || middle == std::string_view::npos || !line.ends_with(kEnd)) continue;
    line.remove_suffix(kEnd.size());
    out.push_back({line.substr(kBegin.size(), middle - kBegin.size()), line.substr(middle + kMiddle.size())});
  }
  return out;
}

}  // namespace

const std::vector<RefusedPackage>& refusedPackages() {
  static const std::vector<RefusedPackage> instance = readTable();
  return instance;
}

std::string_view refusalReason(std::string_view full_name) {
  for (const RefusedPackage& each : refusedPackages()) {
    if (full_name.starts_with(each.package) && full_name.substr(each.package.size()).starts_with('.')) {
      return each.reason;
    }
  }
  return {};
}

}  // namespace sluice::config
