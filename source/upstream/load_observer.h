// Looks for what hosts report of their load, in the heads and trailers of their answers, and gives them the weights
// that follow. In clusters whose policy goes by that, and asks no host by a stream. Thread: the worker's.
#pragma once

#include "source/upstream/attempt_observer.h"
#include "source/upstream/lb/load_weights.h"

namespace sluice::upstream {

class LoadObserver final : public AttemptObserver {
 public:
  // `weights` outlives it.
  explicit LoadObserver(const lb::LoadWeights& weights) : weights_(weights) {}

  void onAttemptBegin(const Attempt&) override {}
  void onAttemptHead(const Attempt& attempt) override;
  void onAttemptTrailers(const Attempt& attempt, const http::Trailers& trailers) override;
  void onAttemptEnd(const Attempt&, const AttemptEnd&) override {}

 private:
  void look(const Attempt& attempt, const http::HeaderList& fields);

  const lb::LoadWeights& weights_;
};

}  // namespace sluice::upstream
