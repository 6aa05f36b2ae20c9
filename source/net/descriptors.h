// How far a worker's data plane may use up the descriptors of the process, so that admin and xDS always find some.
#pragma once

#include <functional>
#include <limits>

#include "source/net/socket.h"

namespace sluice::net {

// Thread: the worker's. The kernel gives the lowest number that is free, so a number tells how many are in use.
struct Descriptors {
  int end = std::numeric_limits<int>::max();  // numbers from here on are not for the data plane
  std::function<void()> on_refused;           // a connection was refused for want of them

  // False: none is left for it; it is closed.
  bool admit(Fd& fd) {
    if (fd.get() < end) [[likely]]
      return true;
    fd = Fd();
    refused();
    return false;
  }
  void refused() {
    if (on_refused) on_refused();
  }
};

}  // namespace sluice::net
