// How long the upstream has for a whole response.
// (proto: RouteAction.timeout, max_grpc_timeout, grpc_timeout_offset; x-envoy-upstream-rq-timeout-ms)
#pragma once

#include <chrono>

#include "source/http/headers.h"
#include "source/route/table.h"

namespace sluice::router {

struct RequestTimeout {
  std::chrono::milliseconds duration{0};  // 0: none
  bool by_default = false;                // nobody chose it
  bool of_grpc = false;                   // the client chose it, by grpc-timeout
};

// Of a request on this route. Once for each request: the caller's own word (x-envoy-upstream-rq-timeout-ms) goes off
// the head, and grpc-timeout says what the upstream has.
RequestTimeout chooseTimeout(const route::Forward& action, http::RequestHeaders& headers);

}  // namespace sluice::router
