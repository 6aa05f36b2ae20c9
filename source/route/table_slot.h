// A place for a route table, the same on every worker: what a connection manager holds instead of a table, so that main
// can give it another table while traffic flows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sluice::route {

// Held through a shared_ptr whose deleter gives the place back on the main thread.
struct TableSlot {
  uint32_t id;
  // Asks for the virtual host of that name in lower case, if the table has some on demand, for the worker of that
  // number; it is told when the table has it, or will not have it. To be called on main. Empty: nobody brings any.
  std::function<void(const std::string& host, uint32_t worker)> ask = {};
};

}  // namespace sluice::route
