#include "source/route/retry_policy.h"

#include <algorithm>
#include <iterator>

#include "source/http/rules.h"

namespace sluice::route {
namespace {

struct Word {
  std::string_view text;
  uint32_t bit;
};

constexpr Word kWords[] = {
    {"5xx", retry_on::k5xx},
    {"gateway-error", retry_on::kGatewayError},
    {"reset", retry_on::kReset},
    {"reset-before-request", retry_on::kResetBeforeRequest},
    {"connect-failure", retry_on::kConnectFailure},
    {"envoy-ratelimited", retry_on::kEnvoyRatelimited},
    {"retriable-4xx", retry_on::kRetriable4xx},
    {"refused-stream", retry_on::kRefusedStream},
    {"retriable-status-codes", retry_on::kRetriableStatusCodes},
    {"retriable-headers", retry_on::kRetriableHeaders},
    {"http3-post-connect-failure", retry_on::kHttp3PostConnectFailure},
    {"cancelled", retry_on::kCancelled},
    {"deadline-exceeded", retry_on::kDeadlineExceeded},
    {"internal", retry_on::kInternal},
    {"resource-exhausted", retry_on::kResourceExhausted},
    {"unavailable", retry_on::kUnavailable},
};

}  // namespace

uint32_t parseRetryOn(std::string_view words, std::vector<std::string_view>* unknown) {
  uint32_t out = 0;
  http::forEachElement(words, [&](std::string_view word) {
    const Word* const found =
        std::find_if(std::begin(kWords), std::end(kWords), [word](const Word& known) { return known.text == word; });
    if (found != std::end(kWords)) {
      out |= found->bit;
    } else if (unknown != nullptr) {
      unknown->push_back(word);
    }
  });
  return out;
}

}  // namespace sluice::route
