// What a filter may see and touch of its stream. Thread: the worker of the stream; a filter never keeps it beyond its
// own life, which is the stream's.
#pragma once

#include <optional>

#include "source/base/arena.h"
#include "source/filter/calls.h"
#include "source/filter/token.h"
#include "source/http/headers.h"
#include "source/observability/stats.h"
#include "source/route/table.h"
#include "source/stream/stream_info.h"

namespace sluice::worker {
class WorkerServices;
}

namespace sluice::filter {

class ChainRunner;

class Stream {
 public:
  Stream() { renew(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  http::RequestHeaders& request() { return *request_headers_; }
  const http::RequestHeaders& request() const { return *request_headers_; }
  // Empty (status 0) until the response head has come.
  http::ResponseHeaders& response() { return *response_headers_; }
  http::Trailers& requestTrailers() { return *request_trailers_; }
  http::Trailers& responseTrailers() { return *response_trailers_; }
  stream::StreamInfo& info() { return info_; }
  const stream::StreamInfo& info() const { return info_; }
  // For text and small objects that live as long as the stream.
  base::Arena& arena() { return arena_; }

  // The matched route; route().route is null when none matched (the router answers 404). Chosen before the first filter
  // runs; it stays valid for the stream's life, whatever happens to the configuration.
  const route::Match& route() const { return route_; }
  // The route's own settings for the filter whose hook runs, or null. (proto: typed_per_filter_config)
  const route::PerFilterConfig* routeConfig() const;
  // The same as the filter's own type; null too if the configuration gives this filter's name a setting of another's.
  template <typename Config>
  const Config* routeConfigAs() const {
    return dynamic_cast<const Config*>(routeConfig());
  }

  // In a headers hook: nothing follows this head, neither body nor trailers.
  bool headersOnly() const;
  // The right to go on after Pause. Call inside a hook, at most once.
  ResumeToken resumeToken();
  // From a trailers hook: sends body bytes in front of the trailers.
  void emitData(std::string_view bytes);

  // Call-outs. The handle must be kept: it cancels when destroyed.
  virtual Calls& calls() = 0;

  // The worker of the stream: for objects of which it has one (worker::WorkerLocal), and for what works beyond the
  // stream.
  virtual worker::WorkerServices& worker() = 0;

  // Adds one to a counter that the filter's factory made.
  virtual void count(observability::Counter counter) = 0;
  // For decisions by chance, not for secrets.
  virtual uint64_t random() = 0;

 protected:
  friend class ChainRunner;

  // Forgets the request that went before; keeps the arena's first block.
  void renew() {
    arena_.reset();
    request_headers_.emplace(arena_);
    response_headers_.emplace(arena_);
    request_trailers_.emplace(arena_);
    response_trailers_.emplace(arena_);
    info_.reset();
    route_ = {};
    runner_ = nullptr;
  }

  base::Arena arena_;
  std::optional<http::RequestHeaders> request_headers_;
  std::optional<http::ResponseHeaders> response_headers_;
  std::optional<http::Trailers> request_trailers_;
  std::optional<http::Trailers> response_trailers_;
  stream::StreamInfo info_;
  route::Match route_;
  ChainRunner* runner_ = nullptr;
};

}  // namespace sluice::filter
