#include "source/router/timeout.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "source/http/grpc.h"

namespace sluice::router {
namespace {

using http::Name;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{15000};  // (proto: RouteAction.timeout)

RequestTimeout grpcTimeout(const route::MaxGrpcTimeout& limits, http::RequestHeaders& headers) {
  const auto field = headers.get(Name::kGrpcTimeout);
  RequestTimeout timeout{.duration = limits.max, .of_grpc = true};
  if (const auto asked = field ? http::grpc::parseTimeout(*field) : std::nullopt) {
    const milliseconds rest = std::max(limits.offset < *asked ? *asked - limits.offset : *asked, milliseconds(1));
    timeout.duration = limits.max.count() > 0 ? std::min(rest, limits.max) : rest;
  }
  if (timeout.duration.count() > 0) headers.set(Name::kGrpcTimeout, http::grpc::formatTimeout(timeout.duration));
  return timeout;
}

// What a caller says in this field, which goes off the head.
std::optional<milliseconds> takeWord(http::RequestHeaders& headers, Name name) {
  const auto said = headers.get(name);
  if (!said) return std::nullopt;
  uint32_t wanted = 0;
  const bool number = absl::SimpleAtoi(absl::string_view(said->data(), said->size()), &wanted);
  headers.remove(name);
  return number ? std::optional(milliseconds(wanted)) : std::nullopt;
}

RequestTimeout routeTimeout(const route::Forward& action, http::RequestHeaders& headers) {
  if (action.max_grpc_timeout != nullptr && http::grpc::isGrpcRequest(headers)) {
    return grpcTimeout(*action.max_grpc_timeout, headers);
  }
  const bool by_default = !action.timeout && action.max_stream_duration == nullptr;
  return {.duration = action.timeout.value_or(by_default ? kDefaultTimeout : milliseconds(0)),
          .by_default = by_default};
}

}  // namespace

// What an internal caller asks for goes first (the session takes the headers away from all others).
RequestTimeout chooseTimeout(const route::Forward& action, http::RequestHeaders& headers, bool heeds_expected) {
  RequestTimeout timeout = routeTimeout(action, headers);
  auto wanted = takeWord(headers, Name::kXEnvoyUpstreamRqTimeoutMs);
  if (heeds_expected) {
    if (const auto expected = takeWord(headers, Name::kXEnvoyExpectedRqTimeoutMs)) wanted = expected;
  }
  if (wanted) {
    timeout.duration = *wanted;
    timeout.by_default = false;
  }
  timeout.of_stream = takeWord(headers, Name::kXEnvoyUpstreamStreamDurationMs);
  return timeout;
}

RequestTimeout lessRedirects(RequestTimeout timeout, const stream::StreamInfo& info, event::TimePoint now) {
  if (timeout.of_grpc || timeout.duration.count() == 0) return timeout;
  const auto used = std::chrono::duration_cast<milliseconds>(info.since(now) - info.request_end);
  timeout.duration = std::max(timeout.duration - used, milliseconds(1));
  return timeout;
}

}  // namespace sluice::router
