// Has what is made of a file made again when the file changes. Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "source/config/services.h"

namespace sluice::config {

// Tells on main when something in `directory` may have changed, for as long as what it returns is held; any thread may
// let it go, after which main may be told once more. Null where configurations are only checked, and after reporting to
// `context`, which stands at the directory.
std::shared_ptr<const void> watchDirectory(const std::string& directory, const Services& services,
                                           std::function<void()> on_change, const Context& context);

}  // namespace sluice::config
