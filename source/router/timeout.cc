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

RequestTimeout routeTimeout(const route::Forward& action, http::RequestHeaders& headers) {
  if (action.max_grpc_timeout != nullptr && http::grpc::isGrpcRequest(headers)) {
    return grpcTimeout(*action.max_grpc_timeout, headers);
  }
  const bool by_default = !action.timeout && action.max_stream_duration == nullptr;
  return {.duration = action.timeout.value_or(by_default ? kDefaultTimeout : milliseconds(0)),
          .by_default = by_default};
}

}  // namespace

// What an internal caller asks for goes first (the session takes the header away from all others).
RequestTimeout chooseTimeout(const route::Forward& action, http::RequestHeaders& headers) {
  RequestTimeout timeout = routeTimeout(action, headers);
  const auto asked = headers.get(Name::kXEnvoyUpstreamRqTimeoutMs);
  if (!asked) return timeout;
  uint32_t wanted = 0;
  if (absl::SimpleAtoi(absl::string_view(asked->data(), asked->size()), &wanted)) {
    timeout.duration = milliseconds(wanted);
    timeout.by_default = false;
  }
  headers.remove(Name::kXEnvoyUpstreamRqTimeoutMs);
  return timeout;
}

}  // namespace sluice::router
