// A part of a trace: what a stream (or an attempt of it) did, from its begin to its end.
#pragma once

#include <memory>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::stream {

struct FormatContext;

// Made by a Tracer when a stream begins, owned by StreamInfo: filters and the router find it as info().span. Thread:
// the stream's.
class Span {
 public:
  virtual ~Span() = default;
  // Views are valid during the call.
  virtual void tag(std::string_view name, std::string_view value) = 0;
  // Writes into the request to an upstream what tells it where its own part belongs (traceparent, b3, ...).
  virtual void inject(http::RequestHeaders& request) = 0;
  // A part of this part, such as one attempt; null: not traced apart. It ends before this one.
  virtual std::unique_ptr<Span> child(std::string_view operation) = 0;
  // Once; nothing is called after it. `context` as the access log gets it.
  virtual void end(const FormatContext& context) = 0;
};

}  // namespace sluice::stream
