// How long the upstream has for a whole response.
// (proto: RouteAction.timeout, max_grpc_timeout, grpc_timeout_offset; x-envoy-upstream-rq-timeout-ms,
// x-envoy-expected-rq-timeout-ms, x-envoy-upstream-stream-duration-ms)
#pragma once

#include <chrono>
#include <optional>

#include "source/event/timer.h"
#include "source/http/headers.h"
#include "source/route/table.h"
#include "source/stream/stream_info.h"

namespace sluice::router {

struct RequestTimeout {
  std::chrono::milliseconds duration{0};  // 0: none
  // How long an attempt may live, if the caller says so; 0: for ever. nullopt: as the cluster has it.
  std::optional<std::chrono::milliseconds> of_stream;
  bool by_default = false;  // nobody chose it
  bool of_grpc = false;     // the client chose it, by grpc-timeout
};

// Of a request on this route. Once for each request: the caller's own words go off the head, and grpc-timeout says what
// the upstream has. `heeds_expected`: what a proxy in front says of its own timeout goes before all else.
// (proto: Router.respect_expected_rq_timeout)
RequestTimeout chooseTimeout(const route::Forward& action, http::RequestHeaders& headers, bool heeds_expected = false);

// What is left of it for a request that redirects have led on: it counts from the end of the client's request. At least
// 1 ms; grpc-timeout was told anew when the redirect came.
RequestTimeout lessRedirects(RequestTimeout timeout, const stream::StreamInfo& info, event::TimePoint now);

}  // namespace sluice::router
