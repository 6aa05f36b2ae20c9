// Words of internal callers that have to be well-formed, or the request is answered 400.
// (proto: Router.strict_check_headers)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::router {

// Immutable, shared by all workers.
class StrictWords {
 public:
  StrictWords() = default;  // none
  // Names in lower case.
  explicit StrictWords(std::vector<std::string> names) : names_(std::move(names)) {}

  // The name of a field whose value is not what it has to be: a number, or for x-envoy-retry-on and -retry-grpc-on
  // conditions that exist. Empty: there is none.
  std::string_view findMalformed(const http::RequestHeaders& head) const {
    return names_.empty() ? std::string_view() : find(head);
  }

 private:
  std::string_view find(const http::RequestHeaders& head) const;

  std::vector<std::string> names_;
};

}  // namespace sluice::router
