// Runs the filters in front of a terminal network filter, for one connection.
//
// A terminal filter makes one where Accepted has filters, calls ask() once when the connection is established, and
// keeps the gate as long as the connection: its destruction tells the filters that the connection is over.
// Thread: the worker's.
#pragma once

#include <memory>

#include "source/filter/network.h"

namespace sluice::filter {

class ConnectionGate {
 public:
  // Null if there is nothing to ask. Takes the filters of `accepted` over and copies its facts.
  static std::unique_ptr<ConnectionGate> make(Accepted& accepted, observability::StatsCells& cells);

  ConnectionGate(Accepted& accepted, observability::StatsCells& cells);
  ~ConnectionGate();
  ConnectionGate(const ConnectionGate&) = delete;
  ConnectionGate& operator=(const ConnectionGate&) = delete;

  // The first refusal, or that all of them let it through. `transport`: of the established connection, or null.
  ConnectionVerdict ask(net::Transport* transport, event::TimePoint now);

  const ConnectionFacts& facts() const { return facts_; }

 private:
  const std::shared_ptr<const ConnectionFilters> filters_;
  observability::StatsCells& cells_;
  ConnectionFacts facts_;
  size_t asked_ = 0;
  bool refused_ = false;  // by the last of those asked
};

// `terminal` behind `filters`; `terminal` itself if there are none.
std::shared_ptr<const TerminalNetworkFilter> makeGated(ConnectionFilters filters,
                                                       std::shared_ptr<const TerminalNetworkFilter> terminal);

}  // namespace sluice::filter
