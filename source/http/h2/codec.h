// HTTP/2 (RFC 9113): bytes <-> messages over nghttp2, which does framing, HPACK, stream states and windows. The rules
// of messages, the budgets against abuse and the bytes that wait for windows are ours. See source/http/codec.h for who
// calls what when.
//
// A codec writes its preface into the sink when it is made, and everything else before the call that caused it
// returns. A stream whose response ended is forgotten: what the owner still does with it is ignored.
// Memory: a stream holds what its owner sent and the peer's window does not let out (unsentBytes).
#pragma once

#include <memory>

#include "source/http/codec.h"

namespace sluice::http::h2 {

// `events` and `sink` outlive the codec.
std::unique_ptr<ServerCodec> makeServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits,
                                             const Http2Settings& settings);
std::unique_ptr<ClientCodec> makeClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits,
                                             const Http2Settings& settings);

}  // namespace sluice::http::h2
