// Clusters that new configuration leads to and that do not serve yet: what it replaces serves on until they do.
//
// A name is waited for once, up to the limit from when it was first named, whoever names it again meanwhile: deadlines
// do not add up, and a name for which no cluster came delays nothing more before there was one. What serves is behind
// for no longer than the limit either, however often that which waits is replaced. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/route/cluster_names.h"
#include "source/server/init_manager.h"

namespace sluice::server {

class ClusterWaits {
 public:
  using Ids = std::span<const route::ClusterId>;  // ascending

  // `serves`: whether the workers have it. `limit` 0: nothing is waited for, as in Envoy.
  ClusterWaits(event::Loop& main, observability::Logger& logger, const route::ClusterNames& names,
               std::function<bool(const std::string& cluster)> serves, std::chrono::milliseconds limit);

  // Adds to `init` what it waits for: those of `named` that do not serve, but for what is `before`, too. `since`: from
  // when something waits to replace that.
  void add(Ids named, Ids before, event::TimePoint since, config::InitTargets& init);
  // The same, for what is called `owner`, with an init manager of its own that is not started; null: nothing to wait
  // for.
  std::unique_ptr<InitManager> make(std::string_view owner, Ids named, Ids before, event::TimePoint since);
  // Those of `named` that do not serve, as text: "cluster 'a', cluster 'b'".
  std::string missing(Ids named) const;
  // The workers have got it.
  void onServes(std::string_view cluster);

 private:
  static constexpr size_t kMaxNames = 10'000;

  struct Wait {
    event::TimePoint until;
    std::vector<config::InitTarget> targets;
  };
  Wait* waitFor(const std::string& cluster);

  event::Loop& main_;
  observability::Logger& logger_;
  const route::ClusterNames& names_;
  const std::function<bool(const std::string& cluster)> serves_;
  const std::chrono::milliseconds limit_;
  std::map<std::string, Wait, std::less<>> waits_;
};

}  // namespace sluice::server
