// Tells control planes that want to know (xds/serving_report.h) what of what they sent does not serve yet: after each
// response, and as long as something waits, until nothing does. Thread: main.
#pragma once

#include <chrono>
#include <vector>

#include "source/event/loop.h"
#include "source/server/cluster_manager.h"
#include "source/server/dynamic_config.h"
#include "source/server/listener_manager.h"
#include "source/server/route_manager.h"

namespace sluice::server {

class ServingReporter {
 public:
  static constexpr std::chrono::milliseconds kMerge{50};   // what comes together is told together
  static constexpr std::chrono::milliseconds kAgain{200};  // between two looks at what waits

  // All of it outlives the reporter.
  ServingReporter(event::Loop& main, const ClusterManager& clusters, const ListenerManager& listeners,
                  const RouteManager& routes, DynamicConfig& dynamic)
      : clusters_(clusters), listeners_(listeners), routes_(routes), dynamic_(dynamic), look_(main.timers(), [this] {
          tell();
        }) {}

  // A response was taken.
  void onTaken() {
    if (!soon_) look_.arm(kMerge);
    soon_ = true;
  }

 private:
  using Waiting = std::vector<xds::ServingReport::Waiting>;

  void tell();
  Waiting waiting() const;

  const ClusterManager& clusters_;
  const ListenerManager& listeners_;
  const RouteManager& routes_;
  DynamicConfig& dynamic_;
  bool soon_ = false;
  event::Timer look_;
};

}  // namespace sluice::server
