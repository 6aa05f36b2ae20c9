#include "source/server/cluster_waits.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::server {

ClusterWaits::ClusterWaits(event::Loop& main, observability::Logger& logger, const route::ClusterNames& names,
                           std::function<bool(const std::string& cluster)> serves, std::chrono::milliseconds limit)
    : main_(main), logger_(logger), names_(names), serves_(std::move(serves)), limit_(limit) {}

// Null: it was waited for in vain, or there are too many.
ClusterWaits::Wait* ClusterWaits::waitFor(const std::string& cluster) {
  const event::TimePoint now = main_.now();
  if (waits_.size() >= kMaxNames) std::erase_if(waits_, [now](const auto& wait) { return wait.second.until <= now; });
  if (waits_.size() >= kMaxNames) return nullptr;
  Wait& wait = waits_.try_emplace(cluster, Wait{now + limit_, {}}).first->second;
  return wait.until > now ? &wait : nullptr;
}

void ClusterWaits::add(Ids named, Ids before, event::TimePoint since, config::InitTargets& init) {
  if (since + limit_ <= main_.now()) return;
  std::vector<route::ClusterId> added;
  std::set_difference(named.begin(), named.end(), before.begin(), before.end(), std::back_inserter(added));
  for (const route::ClusterId id : added) {
    const std::string name(names_.nameOf(id));
    if (serves_(name)) continue;
    Wait* const wait = waitFor(name);
    if (wait == nullptr) continue;
    // At least one, as 0 is no deadline.
    const event::TimePoint until = std::min<event::TimePoint>(wait->until, since + limit_);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - main_.now());
    std::erase_if(wait->targets, [](const config::InitTarget& target) { return !target.pending(); });
    wait->targets.push_back(init.add(absl::StrCat("cluster '", name, "'"), left));
  }
}

std::unique_ptr<InitManager> ClusterWaits::make(std::string_view owner, Ids named, Ids before, event::TimePoint since) {
  auto init = std::make_unique<InitManager>(main_, logger_, std::string(owner), /*replaces=*/true);
  add(named, before, since, *init);
  const std::string waits = init->waits();
  if (waits.empty()) return nullptr;
  logger_.info("xds", owner, " waits for ", waits);
  return init;
}

std::string ClusterWaits::missing(Ids named) const {
  std::string text;
  for (const route::ClusterId id : named) {
    const std::string name(names_.nameOf(id));
    if (!serves_(name)) absl::StrAppend(&text, text.empty() ? "" : ", ", "cluster '", name, "'");
  }
  return text;
}

void ClusterWaits::onServes(std::string_view cluster) {
  const auto found = waits_.find(cluster);
  if (found == waits_.end()) return;
  const std::vector<config::InitTarget> targets = std::move(found->second.targets);
  waits_.erase(found);
}

}  // namespace sluice::server
