// Whether a request meets something else in another configuration, and whether it is less protected there.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/explain/explanation.h"

namespace sluice::ctl {

using Told = absl::StatusOr<explain::Explanation>;

// What a client or a host can tell: one line each, "cluster: 'a' becomes 'b'". Names of listeners and routes, places in
// files and hosts of clusters are no behaviour. Empty: it is the same.
std::vector<std::string> behaviourChanges(const Told& before, const Told& after);

// Filters that decide about who gets in and that are gone, switched off, or of other settings: one line each. Whether
// other settings let more in cannot be seen, so each change of them is told. Empty where the request gets nowhere now.
std::vector<std::string> protectionLost(const Told& before, const Told& after);

}  // namespace sluice::ctl
