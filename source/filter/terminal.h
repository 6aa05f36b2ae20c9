// How a session gets the end of the chain without knowing it: the configuration of the terminal filter makes it.
#pragma once

#include "source/filter/chain.h"
#include "source/worker/services.h"

namespace sluice::filter {

// Immutable settings of a terminal filter, shared by all workers.
class TerminalConfig {
 public:
  virtual ~TerminalConfig() = default;
  // The end of one stream's chain, in the stream's arena; the caller runs its destructor. This outlives it.
  virtual Terminal* make(worker::WorkerServices& worker, ChainRunner& runner, Stream& stream,
                         Downstream& downstream) const = 0;
};

}  // namespace sluice::filter
