#pragma once

#include <string_view>

#include "source/filter/calls.h"
#include "source/http/headers.h"
#include "source/upstream/attempt.h"

namespace sluice::router {

// What the calls of our own to a cluster share, whether their bodies are whole or streamed. Worker threads.

// The head of `request`, as views of it: both live as long as the call.
void writeHead(const filter::HttpCallRequest& request, std::string_view scheme, http::RequestHeaders& headers);

// The word of HttpCallResponse::failure for an attempt that failed.
std::string_view failureOf(const upstream::AttemptEnd& end);

}  // namespace sluice::router
