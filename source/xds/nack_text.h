// The text of a NACK: each bad resource by type, name, field path and rule, in at most 4096 bytes of UTF-8. Where that
// is not enough, reasons are cut before names are, and `; and N more` stands for those that are not named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/xds/resource_watcher.h"

namespace sluice::xds {

inline constexpr size_t kMaxNackText = 4096;

// `load_assignment.endpoints[0]: needs a weight`, or the rule alone where there is no path.
std::string errorText(const ResourceError& error);

// `envoy.config.cluster.v3.Cluster "web": connect_timeout: must be greater than 0s; ...`
std::string nackText(std::string_view type_url, const std::vector<ResourceError>& errors);

}  // namespace sluice::xds
