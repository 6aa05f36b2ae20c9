// When what changes of the hosts of a cluster may be told to workers: the first change at once, those that follow
// within the window together at its end. (proto: Cluster.CommonLbConfig.update_merge_window) Thread: main.
#pragma once

#include <functional>
#include <utility>

#include "source/event/loop.h"
#include "source/event/timer.h"

namespace sluice::server {

class MergeWindow {
 public:
  // `tell`: at the end of a window in which something had to wait.
  MergeWindow(event::Loop& loop, std::function<void()> tell) : loop_(loop), timer_(loop.timers(), std::move(tell)) {}

  // Something changed that may wait. False: it is to be told now, and a window begins.
  bool waits(event::Duration window) {
    if (window.count() == 0 || loop_.now() >= told_ + window) return false;
    if (!timer_.armed()) timer_.armAt(told_ + window);
    return true;
  }
  // Workers were told of all there is.
  void told() {
    told_ = loop_.now();
    timer_.cancel();
  }

 private:
  event::Loop& loop_;
  event::TimePoint told_{};  // long ago
  event::Timer timer_;
};

}  // namespace sluice::server
