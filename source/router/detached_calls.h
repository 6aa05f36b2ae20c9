// Call-outs that outlive the stream which sent them: nobody waits for their answers.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "source/filter/calls.h"

namespace sluice::router {

// Thread: the worker's. What is under way at the end is cancelled.
class DetachedCalls {
 public:
  explicit DetachedCalls(filter::Calls& calls) : calls_(calls) {}

  // As Calls::sendDetached.
  bool send(filter::HttpCallRequest request);
  size_t size() const { return under_way_.size(); }

 private:
  filter::Calls& calls_;
  std::list<std::unique_ptr<filter::Call>> under_way_;
};

}  // namespace sluice::router
