// Which redirects of hosts are followed here instead of by the client: the compiled policy of a route. Immutable,
// shared by all workers. (proto: config.route.v3.InternalRedirectPolicy)
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::route {

// Where a redirect would lead a request from the route that it is on.
struct RedirectStep {
  std::string_view route;   // the name of the route that takes it there
  bool repeated = false;    // it was led from the one route to the other before
  bool from_https = false;  // what the client speaks
  bool to_https = false;    // what the location names
};

// Made by extensions. (proto: InternalRedirectPolicy.predicates)
class RedirectPredicate {
 public:
  virtual ~RedirectPredicate() = default;
  virtual bool accepts(const RedirectStep& step) const = 0;
};

struct InternalRedirectPolicy {
  uint32_t max_redirects = 1;  // of one request, on whatever routes
  std::vector<uint16_t> status_codes = {302};
  bool cross_scheme = false;                 // from http to https and back
  std::vector<std::string> headers_to_copy;  // in lower case; from the redirect to the request
  std::vector<std::shared_ptr<const RedirectPredicate>> predicates;

  bool takes(uint16_t status) const {
    return std::find(status_codes.begin(), status_codes.end(), status) != status_codes.end();
  }
  bool accepts(const RedirectStep& step) const {
    return std::all_of(predicates.begin(), predicates.end(),
                       [&step](const auto& predicate) { return predicate->accepts(step); });
  }
};

}  // namespace sluice::route
