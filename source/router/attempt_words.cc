#include "source/router/attempt_words.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "source/http/grpc.h"

namespace sluice::router {

using http::Name;
using std::chrono::milliseconds;

void setNumber(http::HeaderList& headers, Name name, int64_t number) {
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  headers.set(name, {digits.data(), static_cast<size_t>(end - digits.data())});
}

void AttemptWords::putInto(http::RequestHeaders& headers) const {
  if (number) setNumber(headers, Name::kXEnvoyAttemptCount, *number);
  if (after_timeout) headers.set("x-envoy-is-timeout-retry", *after_timeout ? "true" : "false");
  if (time.count() > 0 && headers.has(Name::kXEnvoyExpectedRqTimeoutMs)) {
    setNumber(headers, Name::kXEnvoyExpectedRqTimeoutMs, time.count());
  }
  const auto grpc_timeout = headers.get(Name::kGrpcTimeout);
  const auto said = grpc_timeout ? http::grpc::parseTimeout(*grpc_timeout) : std::nullopt;
  if (!said) return;
  const milliseconds rest = std::max(*said - std::chrono::duration_cast<milliseconds>(passed), milliseconds(1));
  headers.set(Name::kGrpcTimeout, http::grpc::formatTimeout(rest));
}

}  // namespace sluice::router
