// What a request wants of a file: only if it has changed, or has not (RFC 9110 section 13), and which bytes of it
// (section 14). Thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "source/http/date.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::file_server {

// A file as it is now.
struct Representation {
  std::string etag;  // with its quotes; W/ in front: it may have changed without changing this
  http::Date modified = {};
  uint64_t size = 0;
};

enum class Condition : uint8_t { kNone, kNotModified, kFailed };

Condition evaluateConditions(const http::RequestHeaders& request, const Representation& file, http::Date now);

struct Range {
  enum class Kind : uint8_t { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  // Of a part: bytes from `begin` to in front of `end`.
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Several ranges, and what is no range, are the whole file; so is all of it where If-Range says that it has changed.
Range rangeOf(const http::RequestHeaders& request, const Representation& file, http::Date now);

}  // namespace sluice::extensions::http_filters::file_server
