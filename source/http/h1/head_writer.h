// Writes heads, chunks and trailer sections of HTTP/1 messages. What it writes is always one well-formed head: bytes
// that would end a line early, wherever a filter got them from, are replaced. Of the limits only what says how heads
// are written counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/http/codec.h"
#include "source/http/headers.h"

namespace sluice::http::h1 {

// The framing of a message that is sent.
enum class Framing : uint8_t {
  kNone,       // no body: nothing is said of it
  kLength,     // content-length as in the list
  kZero,       // "content-length: 0", said by us
  kChunked,    // "transfer-encoding: chunked"
  kUntilClose  // the end of the connection ends the body
};

// What the head says of the connection.
enum class Persistence : uint8_t { kImplicit, kClose, kKeepAlive };

void writeRequestHead(ByteSink& sink, const RequestHeaders& headers, Framing framing, const CodecLimits& limits = {});
void writeResponseHead(ByteSink& sink, const ResponseHeaders& headers, Framing framing, Persistence persistence,
                       const CodecLimits& limits = {});
// The 101 that accepts an upgrade to `protocol`.
void writeSwitch(ByteSink& sink, const ResponseHeaders& headers, std::string_view protocol,
                 const CodecLimits& limits = {});
void writeChunk(ByteSink& sink, std::string_view data, bool last);
// The last chunk and the trailer section; fields that may not be trailers are left out.
void writeTrailers(ByteSink& sink, const Trailers& trailers, const CodecLimits& limits = {});

}  // namespace sluice::http::h1
