#include "source/server/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sluice::server {
namespace {

std::vector<std::string> linesOf(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::optional<double> numberIn(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> quotient(std::optional<double> quota, std::optional<double> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

// "max 100000" or "150000 100000".
std::optional<double> limitOfV2(const std::string& folder) {
  const std::vector<std::string> lines = linesOf(folder + "/cpu.max");
  if (lines.empty()) return std::nullopt;
  const std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
  return words.size() == 2 ? quotient(numberIn(words[0]), numberIn(words[1])) : std::nullopt;
}

// A quota of -1 is none.
std::optional<double> limitOfV1(const std::string& folder) {
  const std::vector<std::string> quota = linesOf(folder + "/cpu.cfs_quota_us");
  const std::vector<std::string> period = linesOf(folder + "/cpu.cfs_period_us");
  if (quota.empty() || period.empty()) return std::nullopt;
  return quotient(numberIn(quota[0]), numberIn(period[0]));
}

// Where a hierarchy is mounted, and which of its groups is seen there.
struct Mount {
  bool v2 = false;
  std::string group;
  std::string point;
};

// proc(5): "36 35 98:0 GROUP POINT OPTIONS ... - TYPE SOURCE SUPER_OPTIONS"
std::vector<Mount> mountsIn(const std::string& root) {
  std::vector<Mount> mounts;
  for (const std::string& line : linesOf(root + "/proc/self/mountinfo")) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<std::string> place = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> type = absl::StrSplit(halves[1], ' ');
    if (place.size() < 5 || type.size() < 3) continue;
    const std::vector<std::string> options = absl::StrSplit(type[2], ',');
    const bool v1 = type[0] == "cgroup" && std::find(options.begin(), options.end(), "cpu") != options.end();
    if (v1 || type[0] == "cgroup2") mounts.push_back({!v1, place[3], root + place[4]});
  }
  return mounts;
}

// The group of this process in the hierarchy: "0::/a/b" or "4:cpu,cpuacct:/a/b".
std::optional<std::string> groupIn(const std::string& root, bool v2) {
  for (const std::string& line : linesOf(root + "/proc/self/cgroup")) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    const bool v1 = std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end();
    if (v2 ? parts[1].empty() : v1) return parts[2];
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> cgroupCpuLimit(const std::string& root) {
  std::optional<double> least;
  for (const Mount& mount : mountsIn(root)) {
    std::optional<std::string> group = groupIn(root, mount.v2);
    if (!group) continue;
    // A container may see the name that its group has outside; then the mount itself is the group.
    if (mount.group != "/") group = absl::StartsWith(*group, mount.group) ? group->substr(mount.group.size()) : "";
    for (std::string at = *group == "/" ? "" : *group;; at.resize(at.rfind('/'))) {
      const std::string folder = absl::StrCat(mount.point, at);
      const std::optional<double> limit = mount.v2 ? limitOfV2(folder) : limitOfV1(folder);
      if (limit) least = std::min(least.value_or(*limit), *limit);
      if (at.find('/') == std::string::npos) break;
    }
  }
  return least;
}

uint32_t defaultConcurrency() {
  cpu_set_t set;
  uint32_t count = sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<uint32_t>(CPU_COUNT(&set)) : 1;
  if (const std::optional<double> limit = cgroupCpuLimit(); limit && *limit < count)
    count = static_cast<uint32_t>(std::floor(*limit));
  return std::max(count, 1U);
}

}  // namespace sluice::server
