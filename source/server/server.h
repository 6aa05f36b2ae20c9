// The process `sluice`: wires everything together and runs from start to drain.
#pragma once

#include <memory>

#include "source/server/bootstrap.h"
#include "source/server/options.h"

namespace sluice::server {

// Compiles everything that serve() would, opens nothing. Prints what is wrong, or "configuration 'PATH' OK". Returns
// the exit code.
int validate(const Options& options);

// Runs the proxy until it is told to stop. Returns the exit code.
int serve(const Options& options);

}  // namespace sluice::server
