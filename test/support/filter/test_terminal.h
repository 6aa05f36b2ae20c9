// A terminal HTTP filter that is not the router: it exists for the tests of what a terminal may do.
#pragma once

#include <memory>
#include <string>

#include "source/filter/terminal.h"

namespace sluice::filter::testing {

// Collects each request, of at most 64 KiB, and sends its body to `cluster` by a call-out (POST /relay). What the peer
// answers goes to the client a byte at a time, as there is credit, with the trailer "mark"; another status than 200, or
// none, becomes 502.
std::shared_ptr<const TerminalConfig> relay(std::string cluster);

}  // namespace sluice::filter::testing
