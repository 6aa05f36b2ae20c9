// What a route does to the messages that pass: header mutations, path and host rewrites, the location of redirects.
//
// Thread: the worker of the stream. New text lives in the arena of the header list.
#pragma once

#include <string_view>

#include "source/http/headers.h"
#include "source/route/table.h"

namespace sluice::route {

struct RequestRewrite {
  // Keeps the path that came in as x-envoy-original-path where it is rewritten (proto: not suppress_envoy_headers).
  bool keep_original_path = true;
};

// Prepares a request for the upstream: header mutations of every level, then host and path. The matched route forwards.
// False if the rewritten path climbs ("/../") where the path that was matched did not: such a request has to be refused
// (400), because the rules that let it pass have judged another path.
[[nodiscard]] bool finalizeRequest(const Match& match, http::RequestHeaders& request,
                                   const stream::FormatContext& context, RequestRewrite options = {});

// Prepares a response for the client: header mutations of every level, then the cookie of a new user. For redirects and
// direct responses too.
void finalizeResponse(const Match& match, http::ResponseHeaders& response, const stream::FormatContext& context);

// The `location` of a redirect route: an absolute URI without bytes that could end the header. The matched route
// redirects.
std::string_view redirectLocation(const Match& match, const http::RequestHeaders& request);

}  // namespace sluice::route
