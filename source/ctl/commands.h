// The commands of sluicectl. Each prints what it has to say and gives the program's exit code.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "source/ctl/http_client.h"

namespace sluice::ctl {

enum ExitCode : int { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

struct Settings {
  Endpoint control;
  Endpoint admin;
  std::string token;
  bool json = false;
};

// A proxy's bootstrap, a file of intent, or a directory as sluice-control would read it.
ExitCode validate(const Settings& settings, const std::string& path);
// What each proxy was sent, acknowledged, refused.
ExitCode status(const Settings& settings);
// What proxies report of their requests; of one cluster if `cluster` is not empty.
ExitCode load(const Settings& settings, std::string_view cluster);
// A proxy's own view.
ExitCode configDump(const Settings& settings);
// Resources of a type; one of them if `name` is not empty.
ExitCode get(const Settings& settings, std::string_view type, std::string_view name);
// Posts a file to the control plane. With `wait`: then waits, at most so long, until each connected proxy serves it or
// has refused it; kRefused if one does not serve it.
ExitCode applyFile(const Settings& settings, const std::string& path, std::optional<std::chrono::seconds> wait);

}  // namespace sluice::ctl
