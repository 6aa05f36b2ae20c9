// How a session gets the end of the chain without knowing it. The configuration is made with the chain; the maker is
// the worker's.
#pragma once

#include "source/filter/chain.h"

namespace sluice::filter {

// Immutable settings of a terminal filter, shared by all workers.
class TerminalConfig {
 public:
  virtual ~TerminalConfig() = default;
};

class TerminalMaker {
 public:
  virtual ~TerminalMaker() = default;
  // A terminal in the stream's arena; the caller runs its destructor. `config` is of the maker's own kind.
  virtual Terminal* make(const TerminalConfig& config, ChainRunner& runner, Stream& stream, Downstream& downstream) = 0;
};

}  // namespace sluice::filter
