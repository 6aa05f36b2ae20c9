// The HTTP filter API.
//
//   // Answers 401 unless the request carries a known key.
//   HookResult onRequestHeaders(http::RequestHeaders& headers, Stream& stream) override {
//     if (!keys_.contains(headers.get(key_name_).value_or(""))) return Reply{401, "unknown API key\n", "no_key"};
//     return Next{};
//   }
//
// One filter object serves one stream, lives in its arena, and runs on its worker only. It sees messages and a Stream:
// never threads, sockets, configuration messages or the server. What is common to all streams belongs to the factory,
// which is immutable and shared by all workers.
// Order: request hooks run first to last, response hooks last to first. No hook runs after the stream has ended, but
// the one that says so.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "source/base/arena.h"
#include "source/filter/result.h"
#include "source/http/headers.h"

namespace sluice::filter {

class Stream;

// A piece of a streamed body. The bytes are valid during the hook.
class Chunk {
 public:
  Chunk(std::string_view bytes, bool end_stream) : bytes_(bytes), end_stream_(end_stream) {}

  std::string_view bytes() const { return bytes_; }
  // No more body and no trailers follow.
  bool endStream() const { return end_stream_; }
  // What goes on instead of bytes(). The filter has taken content-length off the headers before (or keeps it true).
  void replace(std::string bytes) {
    owned_ = std::move(bytes);
    bytes_ = owned_;
  }

 private:
  friend class ChainRunner;
  std::string_view bytes_;
  std::string owned_;
  bool end_stream_;
};

// A whole body, brought by Collect.
class Body {
 public:
  Body(std::string& bytes, bool complete, bool end_stream)
      : bytes_(bytes), complete_(complete), end_stream_(end_stream) {}
  std::string_view bytes() const { return bytes_; }
  // False if only the beginning was asked for (Collect::partial) and more follows.
  bool complete() const { return complete_; }
  // Neither more of it nor trailers follow.
  bool endStream() const { return end_stream_; }
  // Replaces it; the chain sets content-length accordingly.
  void replace(std::string bytes) {
    bytes_ = std::move(bytes);
    replaced_ = true;
  }

 private:
  friend class ChainRunner;
  std::string& bytes_;
  const bool complete_;
  const bool end_stream_;
  bool replaced_ = false;
};

class HttpFilter {
 public:
  virtual ~HttpFilter() = default;

  virtual HookResult onRequestHeaders(http::RequestHeaders&, Stream&) { return Next{}; }
  virtual HookResult onRequestData(Chunk&, Stream&) { return Next{}; }
  virtual HookResult onRequestBody(Body&, Stream&) { return Next{}; }
  virtual HookResult onRequestTrailers(http::Trailers&, Stream&) { return Next{}; }

  virtual HookResult onResponseHeaders(http::ResponseHeaders&, Stream&) { return Next{}; }
  virtual HookResult onResponseData(Chunk&, Stream&) { return Next{}; }
  virtual HookResult onResponseBody(Body&, Stream&) { return Next{}; }
  virtual HookResult onResponseTrailers(http::Trailers&, Stream&) { return Next{}; }

  // The stream is over: completed, answered by somebody else, reset by either side or cut. Once for every stream, also
  // where no other hook ran. For what is counted; nothing can be changed or sent any more.
  virtual void onStreamEnd(Stream&) {}
};

// Which hooks a filter has. The chain calls no others; the body hooks belong to Collect.
enum Hooks : uint8_t {
  kRequestHeaders = 1,
  kRequestData = 2,
  kRequestTrailers = 4,
  kResponseHeaders = 8,
  kResponseData = 16,
  kResponseTrailers = 32,
  kStreamEnd = 64,
};

class HttpFilterFactory {
 public:
  virtual ~HttpFilterFactory() = default;
  // A union of Hooks; the same for every filter that it makes.
  virtual uint8_t hooks() const = 0;
  // A filter for one stream, made in the stream's arena (use makeIn). The chain calls its destructor.
  virtual HttpFilter* create(base::Arena& arena) const = 0;
};

// Makes a T in the arena. Its destructor runs with the stream.
template <typename T, typename... Args>
T* makeIn(base::Arena& arena, Args&&... args) {
  static_assert(alignof(T) <= 8);
  return new (arena.allocate(sizeof(T))) T(std::forward<Args>(args)...);
}

}  // namespace sluice::filter
