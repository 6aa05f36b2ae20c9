// What can be wrong with a message: one value for each broken rule, and what a server answers for it.
#pragma once

#include <cstdint>

#include "source/http/codec.h"

namespace sluice::http::h1 {

enum class Fault : uint8_t {
  kNone = 0,
  kInvalidCharacters,   // a byte that may not stand where it stands; bare CR, LF, NUL
  kInvalidRequestLine,  // not "method SP target SP version CRLF"
  kInvalidStatusLine,   // not "version SP 3DIGIT [SP reason] CRLF"
  kInvalidMethod,       // not a token, or longer than any method
  kInvalidTarget,       // a target in none of the four forms (RFC 9112 section 3.2)
  kFragment,            // '#' in the target
  kTargetTooLong,       // the request line alone breaks the size limit
  kInvalidVersion,      // not HTTP/DIGIT.DIGIT
  kUnsupportedVersion,  // a version that is not ours
  kLowVersion,          // HTTP/1.0 and accept_http_10 is off
  kHttp09,              // a request line without version
  kHttp2Preface,        // HTTP/2 with prior knowledge
  kObsFold,             // a line that begins with white space
  kSpaceBeforeColon,    // RFC 9112 section 5.1
  kEmptyName,           // a line that begins with ':'
  kNoColon,             // a line without ':'
  kHeadersTooLarge,     // more than CodecLimits::max_header_bytes
  kTooManyHeaders,      // more than CodecLimits::max_header_count
  kTrailersTooLarge,
  kTooManyTrailers,
  kInvalidHost,            // not host[:port]; user information
  kMissingHost,            // RFC 9112 section 3.2
  kManyHosts,              // more than one Host field
  kConflictingHost,        // Host differs from the absolute form's authority
  kInvalidContentLength,   // not a plain decimal number below 2^63
  kManyContentLengths,     // more than one value, equal or not
  kLengthAndChunked,       // Content-Length beside Transfer-Encoding
  kInvalidTransferCoding,  // "chunked" is not the last one, or stands twice
  kUnknownTransferCoding,  // another one in front of "chunked"
  kTransferCodingIn10,     // Transfer-Encoding in HTTP/1.0
  kConnectWithBody,        // CONNECT with Content-Length or Transfer-Encoding
  kUnknownExpectation,     // Expect other than 100-continue
  kInvalidChunkSize,
  kInvalidChunkExtension,
  kChunkExtensionTooLong,
  kInvalidChunkEnd,
  kIncompleteMessage,     // the peer finished in the middle of a message
  kUnaskedSwitch,         // 101 that nobody asked for
  kTooManyInformational,  // a storm of 1xx
  kUnsolicitedResponse,   // bytes although no response is due
  kCount,
};

// For a server: the status that it answers.
ProtocolError requestError(Fault fault);
// For a client: the status is 502.
ProtocolError responseError(Fault fault);

}  // namespace sluice::http::h1
