// The attempts of one request. Most requests have one at a time: it is a member here, and made again for each retry. A
// request that hedges has more that run; they are made in the stream's arena, beside the first, and used again once
// they are over. Thread: the worker's.
#pragma once

#include <utility>

#include "source/filter/http_filter.h"

namespace sluice::router {

// `Try` is an upstream::Attempt with a member `Try* next`, null, for this class alone.
template <typename Try>
class Tries {
 public:
  template <typename Maker>
  explicit Tries(Maker& maker) : first_(maker) {}
  ~Tries() {
    for (Try* one = first_.next; one != nullptr;) std::exchange(one, one->next)->~Try();
  }
  Tries(const Tries&) = delete;
  Tries& operator=(const Tries&) = delete;

  // The one that was made last; once there is an answer, the one that gave it.
  Try& operator*() const { return *last_; }
  Try* operator->() const { return last_; }
  bool isLast(const Try& one) const { return &one == last_; }
  // It is the last one from now on.
  void setLast(Try& one) { last_ = &one; }

  // One that does not run, of the same cluster.
  template <typename Maker>
  Try& idle(base::Arena& arena, Maker& maker) {
    Try* one = &first_;
    while (one->running()) {
      if (one->next == nullptr) {
        one->next = filter::makeIn<Try>(arena, maker);
        one->next->setCluster(first_.cluster());
        one->next->countAnswers(first_.answerStats());
      }
      one = one->next;
    }
    return *one;
  }
  bool othersRun(const Try& but) const {
    for (const Try* one = &first_; one != nullptr; one = one->next) {
      if (one != &but && one->running()) return true;
    }
    return false;
  }
  // Does it with all but one.
  template <typename Do>
  void forOthers(const Try& but, Do&& what) {
    for (Try* one = &first_; one != nullptr; one = one->next) {
      if (one != &but) what(*one);
    }
  }

 private:
  Try first_;
  Try* last_ = &first_;
};

}  // namespace sluice::router
