// Two filters that use all of the filter API: they exist for the tests of the engine.
#pragma once

#include <memory>

#include "source/filter/http_filter.h"

namespace sluice::filter::testing {

// Rewrites streamed bodies both ways: chunks in upper case, "!" behind the last byte, the trailer "mark" set to
// "rewritten" (in front of it the "!" goes by emitData). Takes content-length off.
std::shared_ptr<const HttpFilterFactory> rewriter();
std::string rewritten(std::string_view body);  // what comes out; "" of a message without body and trailers

// Sends every head, chunk and trailer block of both directions to a peer (a call to the cluster "peer", path
// "/request/data" and so on) and goes on with what it answers: 200 goes on, with its body in place of a chunk; another
// status is the client's answer; a call that fails ("" of the peer) gives the stream up: a head is answered 502,
// anything else drops its token.
std::shared_ptr<const HttpFilterFactory> exchanger();

}  // namespace sluice::filter::testing
