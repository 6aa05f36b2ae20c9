// Parses heads and trailer sections of HTTP/1 messages (RFC 9112), strictly: what two parsers could read in two ways is
// refused. One copy of the text goes into the list's arena, the fields are views into it with names lowered in place.
//
// Fields of the connection (RFC 9110 section 7.6.1) do not get into the lists; what they say is in the facts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/http/codec.h"
#include "source/http/h1/fault.h"
#include "source/http/headers.h"

namespace sluice::http::h1 {

// Finds the end of a block of lines: the empty line. Goes on where it stopped, so a block that comes byte by byte is
// looked at once.
class BlockEnd {
 public:
  // `text` is all that came so far of the block. True when the end or a fault was found.
  bool find(std::string_view text, size_t limit);

  size_t size() const { return size_; }   // of the block with its empty line
  Fault fault() const { return fault_; }  // kInvalidCharacters: bare LF; kHeadersTooLarge: no end within the limit
  void reset() { *this = BlockEnd(); }

 private:
  size_t scanned_ = 0;
  size_t size_ = 0;
  Fault fault_ = Fault::kNone;
};

struct HeadFacts {
  bool chunked = false;
  bool has_length = false;
  bool close = false;            // "connection: close"
  bool keep_alive = false;       // "connection: keep-alive"
  bool expect_continue = false;  // "expect: 100-continue" in HTTP/1.1
  uint64_t length = 0;           // of the body where has_length
};

struct ParsedHead {
  Fault fault = Fault::kNone;
  size_t size = 0;  // bytes of the head with its empty line
  HeadFacts facts;
  std::string_view upgrade;  // of a 101: the protocol gone over to, in lower case; in the list's arena
};

// `text` holds a whole head, ending in CR LF CR LF; bytes after the first empty line are not looked at.
ParsedHead parseRequestHead(std::string_view text, const CodecLimits& limits, RequestHeaders& out);
ParsedHead parseResponseHead(std::string_view text, const CodecLimits& limits, ResponseHeaders& out);
// As above for the trailer section, of a request or a response; fields that may not be trailers are dropped.
ParsedHead parseTrailers(std::string_view text, const CodecLimits& limits, bool of_request, Trailers& out);

// What is certainly wrong with the beginning of a request head of which no more has come (kNone: nothing yet). It is
// the same fault that the whole head would be refused for.
Fault checkRequestStart(std::string_view text, const CodecLimits& limits);

}  // namespace sluice::http::h1
