// The answer of a route that needs no host. (proto: DirectResponseAction)
#pragma once

#include "source/filter/reply.h"
#include "source/filter/stream.h"
#include "source/route/route.h"

namespace sluice::router {

// Thread: the stream's. A body format sees the request, status and details; headers of the response come behind it.
filter::Reply directReply(const route::DirectResponse& direct, filter::Stream& stream);

}  // namespace sluice::router
