// The commands of sluicectl. Each prints what it has to say and gives the program's exit code.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "source/ctl/http_client.h"
#include "source/explain/request.h"

namespace sluice::ctl {

enum ExitCode : int { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

struct Settings {
  Endpoint control;
  Endpoint admin;
  std::string token;
  std::string file;  // a bootstrap that is asked, not a proxy nor what a file of expectations names; empty: none
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
// What becomes of a request, by `file` or by the proxy at `admin`. `policy_only`: of its filters those that decide
// about who gets in.
ExitCode explainRequest(const Settings& settings, const explain::Parameters& parameters, bool policy_only);
// What the change from one file to another does to connections that there are. kRefused: something closes; kUsage: a
// file, or a part of the change, is refused. `by_xds`: as compare()'s.
ExitCode impact(const Settings& settings, const std::string& before, const std::string& after, bool by_xds);
// The table of fields by their effects.
ExitCode impactOfFields();
// Runs a file of expectations (expectations.h) against the bootstrap `file`, or the one that it names if that is
// empty. `junit`: a file to write; empty: none. kRefused: something is otherwise; kUsage: a file is refused.
ExitCode test(const Settings& settings, const std::string& path, const std::string& junit);
// Which requests two bootstraps treat otherwise; `security`: which routes are less protected in the second. `requests`:
// a file of more to ask; empty: none. kRefused: there are some; kUsage: a file is refused.
ExitCode diff(const Settings& settings, const std::string& before, const std::string& after,
              const std::string& requests, bool security);

}  // namespace sluice::ctl
