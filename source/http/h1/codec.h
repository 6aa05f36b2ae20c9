// HTTP/1.1 (RFC 9112): bytes <-> messages. HTTP/1.0 requests where CodecLimits::accept_http_10 says so, HTTP/1.0
// responses always. See source/http/codec.h for who calls what when.
//
// Read-ahead: while a response is outstanding the bytes of the next request are kept, not parsed.
// Memory: an idle codec holds no buffer; a head that came in pieces is kept until it is whole.
//
// After receive() or receiveEnd() of a server codec gave an error, the owner may answer it by sendErrorReply, or by
// sendHeaders and sendData with any stream id, unless a response head went out already; the answer says
// "connection: close".
#pragma once

#include <memory>

#include "source/http/codec.h"

namespace sluice::http::h1 {

// `events` and `sink` outlive the codec.
std::unique_ptr<ServerCodec> makeServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits);
std::unique_ptr<ClientCodec> makeClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits);

}  // namespace sluice::http::h1
