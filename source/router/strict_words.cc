#include "source/router/strict_words.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/route/retry_policy.h"

namespace sluice::router {
namespace {

bool isNumber(std::string_view text) {
  uint32_t number = 0;
  return absl::SimpleAtoi(base::toAbsl(text), &number);
}

// Only those of HTTP, or of gRPC.
bool areConditions(std::string_view words, bool of_grpc) {
  std::vector<std::string_view> unknown;
  const uint32_t on = route::parseRetryOn(words, &unknown);
  return unknown.empty() && (on & (of_grpc ? ~route::retry_on::kOfGrpc : route::retry_on::kOfGrpc)) == 0;
}

bool isWellFormed(std::string_view name, std::string_view value) {
  if (name == "x-envoy-retry-on") return areConditions(value, false);
  if (name == "x-envoy-retry-grpc-on") return areConditions(value, true);
  return isNumber(value);
}

}  // namespace

std::string_view StrictWords::find(const http::RequestHeaders& head) const {
  for (const std::string& name : names_) {
    const auto value = head.lookup(name);
    if (value && !isWellFormed(name, *value)) return name;
  }
  return {};
}

}  // namespace sluice::router
