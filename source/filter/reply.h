// An answer that is made here instead of by the upstream, and where the bytes of a streamed one come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/headers.h"
#include "source/stream/response_flags.h"

namespace sluice::filter {

class ChainRunner;

// The body of an answer that does not have to be at hand as one string: a stored response, a file. It belongs to its
// stream and is destroyed with it, so what it waits for is cancelled. Thread: the worker of the stream.
//
//   Read read(size_t room, std::string& piece) override {
//     piece = stored_.substr(at_, room);
//     at_ += piece.size();
//     return at_ == stored_.size() ? Read::kEnd : Read::kMore;
//   }
class ReplyBody {
 public:
  enum class Read : uint8_t {
    kMore,    // `piece` has bytes, and there are more at once
    kLater,   // there is no more for now; ready() tells when
    kEnd,     // `piece`, which may be empty, is the last
    kFailed,  // the answer cannot be completed: the stream is reset, or answered 500 if its head has not gone
  };

  ReplyBody() = default;
  ReplyBody(const ReplyBody&) = delete;
  ReplyBody& operator=(const ReplyBody&) = delete;
  virtual ~ReplyBody() = default;

  // Asked when the client's side has room for `room` bytes, at least 1. Puts at most as many into `piece`, which is
  // empty.
  virtual Read read(size_t room, std::string& piece) = 0;
  // After kEnd: the trailers behind the body, if it has some.
  virtual void trailers(http::Trailers&) {}

 protected:
  // After kLater: read() has something to give. From the loop, not from inside read(); use nothing of this object
  // behind it.
  void ready();

 private:
  friend class ChainRunner;
  ChainRunner* runner_ = nullptr;
};

// A gRPC request gets it as gRPC: status 200, with `status` mapped to grpc-status and `body` as grpc-message; redirects
// and streamed answers stay as they are.
struct Reply {
  uint16_t status = 500;
  std::string body;
  // Static text, or of the stream's arena: why, for %RESPONSE_CODE_DETAILS% ("request_payload_too_large").
  std::string_view details;
  // Added to the response, in order. Names in lower case. "content-type" replaces the default text/plain.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<stream::ResponseFlag> flag = {};
  // What a gRPC client is told instead of what `status` maps to.
  std::optional<int> grpc_status = {};
  // Streams the body; `body` is not used then, and the head is as `status` and `headers` say: with content-length only
  // if it stands there. Not read for HEAD, 204 and 304.
  std::unique_ptr<ReplyBody> stream = {};
  // Is what was asked for, not what is said in its place: local_reply_config leaves it alone.
  bool as_asked = false;
  // Returned from the hook for a response's head: the filters in front get this as the response, which they have not
  // seen. Else it takes the other's place without them.
  bool as_response = false;
};

}  // namespace sluice::filter
