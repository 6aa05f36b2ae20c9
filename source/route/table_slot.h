// A place for a route table, the same on every worker: what a connection manager holds instead of a table, so that main
// can give it another table while traffic flows.
#pragma once

#include <cstdint>

namespace sluice::route {

// Held through a shared_ptr whose deleter gives the place back on the main thread.
struct TableSlot {
  uint32_t id;
};

}  // namespace sluice::route
