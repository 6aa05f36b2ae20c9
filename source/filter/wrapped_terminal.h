// A terminal filter with others in front of it: who wants to know what serves in the end looks through it.
#pragma once

#include "source/filter/network.h"

namespace sluice::filter {

class WrappedTerminal : public TerminalNetworkFilter {
 public:
  virtual const TerminalNetworkFilter& inner() const = 0;
};

// What serves a connection of that chain.
inline const TerminalNetworkFilter& innermost(const TerminalNetworkFilter& terminal) {
  const auto* const wrapped = dynamic_cast<const WrappedTerminal*>(&terminal);
  return wrapped == nullptr ? terminal : innermost(wrapped->inner());
}

}  // namespace sluice::filter
