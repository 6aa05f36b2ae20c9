// What becomes of a request, asked of the proxy's own compiled code: the listener's index of chains, the request policy
// of its connection manager, its route table and its filters. Nothing is sent.
//
//   const auto request = requestOf({{"request", "GET https://shop.example/cart"}});
//   const auto explanation = explain(*request, configuration);
//   std::cout << toText(toJson(*explanation));
//
// Thread: that of the configuration. What depends on answers (retries, redirects that are followed, what filters find
// out) is not told; notes say so where it matters.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "source/explain/configuration.h"
#include "source/explain/explanation.h"
#include "source/explain/request.h"

namespace sluice::explain {

// NotFound: no listener of that name or port; InvalidArgument: several would do. Both name those that there are.
// FailedPrecondition: the listener does not speak HTTP, or its routes are not known here.
absl::StatusOr<Explanation> explain(const Request& request, const Configuration& configuration);

// Durations in milliseconds; what does not apply is left out.
nlohmann::ordered_json toJson(const Explanation& explanation);

// For people, of what toJson() made, here or in another process: what is missing there is left out.
std::string toText(const nlohmann::ordered_json& explanation);
// The same of what decides about who gets in.
std::string policyText(const nlohmann::ordered_json& explanation);

}  // namespace sluice::explain
