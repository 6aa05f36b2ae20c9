// The pages that show something, each a function from what the server knows to text or JSON.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/admin/admin.h"
#include "source/admin/query.h"

namespace sluice::admin {

// Keeps the clusters in whose name the regular expression matches anywhere; false if it is none.
bool keepClusters(std::string_view regex, envoy::admin::v3::Clusters& clusters);
// Of one of the hosts of a cluster; empty: nothing to say.
using HealthReason = std::function<std::string(const std::string& cluster, size_t host)>;
std::string clustersText(const envoy::admin::v3::Clusters& clusters, const HealthReason& reason_of);
std::string listenersText(const envoy::admin::v3::Listeners& listeners);

// Parameters: resource (a repeated field of a part of the dump), mask (paths of fields, of its entries if there is a
// resource), name_regex, include_eds.
Response configDump(const Query& query, const AdminState& state);

// The client's side of CSDS, as JSON.
Response clientStatus(const AdminState& state);

// A message as Envoy's admin pages print it: field names of the proto, indented.
// `all_fields`: numbers, texts and lists that have their default are printed too.
Response jsonOf(const google::protobuf::Message& message, bool all_fields = false);

// Keys of tokens that are fetched, as JSON.
Response keySets(const std::vector<jwt::RemoteKeys::Health>& sets);

// Resources of the control plane, as JSON. Parameters: state, type (the end of a message's name), name_regex.
Response verdicts(const Query& query, const std::vector<ResourceVerdict>& all);

Response memory();

// An answer that says what is wrong, with a newline at its end.
Response problem(uint16_t status, std::string_view what);

}  // namespace sluice::admin
