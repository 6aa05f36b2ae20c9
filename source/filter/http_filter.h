// The HTTP filter API.
//
//   // Answers 401 unless the request carries a known key.
//   HookResult onRequestHeaders(http::RequestHeaders& headers, Context& context) override {
//     if (!keys_.contains(headers.get(key_name_).value_or(""))) return Reply{401, "unknown API key\n", "no_key"};
//     return Next{};
//   }
//
// One filter object serves one stream, lives in its arena, and runs on its worker only. It sees messages and a Context:
// never threads, sockets, configuration messages or the server. What is common to all streams belongs to the settings,
// which are immutable and shared by all workers.
// Order: request hooks run first to last, response hooks last to first. No hook runs after the stream has ended, but
// the one that says so.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "source/base/arena.h"
#include "source/filter/chunk.h"
#include "source/filter/result.h"
#include "source/http/headers.h"

namespace sluice::filter {

class Context;

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

  virtual HookResult onRequestHeaders(http::RequestHeaders&, Context&) { return Next{}; }
  virtual HookResult onRequestData(Chunk&, Context&) { return Next{}; }
  virtual HookResult onRequestBody(Body&, Context&) { return Next{}; }
  virtual HookResult onRequestTrailers(http::Trailers&, Context&) { return Next{}; }

  virtual HookResult onResponseHeaders(http::ResponseHeaders&, Context&) { return Next{}; }
  virtual HookResult onResponseData(Chunk&, Context&) { return Next{}; }
  virtual HookResult onResponseBody(Body&, Context&) { return Next{}; }
  virtual HookResult onResponseTrailers(http::Trailers&, Context&) { return Next{}; }

  // The request's head went through this filter, or would have, and now leads to another route: a filter behind it has
  // chosen anew (Context::rematchRoute()), or the cluster was, behind the last one. For filters that judge by the
  // route: what they reply is the answer. It may run several times, and without onRequestHeaders() where the route
  // before had this filter disabled.
  virtual std::optional<Reply> onRouteChanged(const http::RequestHeaders&, Context&) { return std::nullopt; }

  // The stream is over: completed, answered by somebody else, reset by either side or cut. Once for every stream, also
  // where no other hook ran. For what is counted; nothing can be changed or sent any more.
  virtual void onStreamEnd(Context&) {}
};

// The chain calls the hooks that a filter has and no others; the body hooks belong to Collect.
enum Hooks : uint8_t {
  kRequestHeaders = 1,
  kRequestData = 2,
  kRequestTrailers = 4,
  kResponseHeaders = 8,
  kResponseData = 16,
  kResponseTrailers = 32,
  kStreamEnd = 64,
  kRouteChanged = 128,
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

// The hooks that `Filter`, or a base of it, overrides. They have to be public.
template <typename Filter>
constexpr uint8_t hooksOf() {
  static_assert(std::is_base_of_v<HttpFilter, Filter>);
  const auto overrides = [](auto own, auto base) { return !std::is_same_v<decltype(own), decltype(base)>; };
  constexpr bool request_headers = overrides(&Filter::onRequestHeaders, &HttpFilter::onRequestHeaders);
  constexpr bool response_headers = overrides(&Filter::onResponseHeaders, &HttpFilter::onResponseHeaders);
  static_assert(request_headers || !overrides(&Filter::onRequestBody, &HttpFilter::onRequestBody),
                "a body hook runs when onRequestHeaders has returned Collect");
  static_assert(response_headers || !overrides(&Filter::onResponseBody, &HttpFilter::onResponseBody),
                "a body hook runs when onResponseHeaders has returned Collect");
  unsigned hooks = 0;
  if (request_headers) hooks |= kRequestHeaders;
  if (overrides(&Filter::onRequestData, &HttpFilter::onRequestData)) hooks |= kRequestData;
  if (overrides(&Filter::onRequestTrailers, &HttpFilter::onRequestTrailers)) hooks |= kRequestTrailers;
  if (response_headers) hooks |= kResponseHeaders;
  if (overrides(&Filter::onResponseData, &HttpFilter::onResponseData)) hooks |= kResponseData;
  if (overrides(&Filter::onResponseTrailers, &HttpFilter::onResponseTrailers)) hooks |= kResponseTrailers;
  if (overrides(&Filter::onRouteChanged, &HttpFilter::onRouteChanged)) hooks |= kRouteChanged;
  if (overrides(&Filter::onStreamEnd, &HttpFilter::onStreamEnd)) hooks |= kStreamEnd;
  return static_cast<uint8_t>(hooks);
}

struct NoSettings {};

// Makes filters of one type, from the settings that all of them share (Filter(const Settings&), or Filter() without
// settings).
template <typename Filter, typename Settings = NoSettings>
class Factory final : public HttpFilterFactory {
 public:
  Factory() = default;
  explicit Factory(Settings settings) : settings_(std::move(settings)) {}

  uint8_t hooks() const override { return hooksOf<Filter>(); }
  HttpFilter* create(base::Arena& arena) const override {
    if constexpr (std::is_constructible_v<Filter, const Settings&>) {
      return makeIn<Filter>(arena, settings_);
    } else {
      return makeIn<Filter>(arena);
    }
  }
  const Settings& settings() const { return settings_; }

 private:
  const Settings settings_{};
};

}  // namespace sluice::filter
