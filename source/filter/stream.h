// One stream: what the ends of a chain (session, terminal) and the chain itself know of it. A filter sees it through
// its Context. Thread: the worker of the stream.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "source/base/arena.h"
#include "source/filter/calls.h"
#include "source/filter/route_waiter.h"
#include "source/http/headers.h"
#include "source/observability/stats.h"
#include "source/route/cluster_source.h"
#include "source/route/table.h"
#include "source/stream/stream_info.h"

namespace sluice::worker {
class WorkerServices;
}

namespace sluice::dns_cache {
struct ResolvedHost;
}

namespace sluice::filter {

class ChainRunner;

// Where a filter sends the request instead of where its route leads. Text of the stream's arena.
struct UpstreamChoice {
  std::string_view cluster;  // by name; empty: the route's
  std::string_view host;     // address with port, of the cluster; empty: the balancer picks
  bool only_host = false;    // another host will not do: the request is answered 503 if that one cannot be had
  const dns_cache::ResolvedHost* resolved = nullptr;  // for clusters whose hosts requests name; null: none
};

class Stream {
 public:
  using Time = stream::StreamInfo::MonotonicTime;

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
  stream::StreamInfo& info() { return *facts_; }
  const stream::StreamInfo& info() const { return *facts_; }
  // For text and small objects that live as long as the stream.
  base::Arena& arena() { return arena_; }
  // For text that lives as long as info(): longer than this stream where it is a part of another.
  base::Arena& infoArena() { return *info_arena_; }

  // The matched route; route().route is null when none matched (the router answers 404). Chosen before the first filter
  // runs, its cluster perhaps anew behind the last one (chooseByMetadata); its table stays valid for the stream's life,
  // whatever happens to the configuration.
  const route::Match& route() const { return route_; }
  // Null: nobody chose.
  const UpstreamChoice* upstreamChoice() const { return upstream_choice_; }

  // Of an upstream filter's stream the host of its attempt, with port; empty elsewhere. Good as long as the stream.
  virtual std::string_view attemptHost() const { return {}; }

  // A set-cookie header for the response of the upstream; the same one twice is one. Text of the stream's arena.
  void addResponseCookie(std::string_view set_cookie) {
    for (const ResponseCookie* known = response_cookies_; known != nullptr; known = known->next) {
      if (known->text == set_cookie) return;
    }
    response_cookies_ = new (arena_.allocate(sizeof(ResponseCookie))) ResponseCookie{set_cookie, response_cookies_};
  }
  struct ResponseCookie {
    std::string_view text;
    const ResponseCookie* next;  // null: the last
  };
  // Null: none.
  const ResponseCookie* responseCookies() const { return response_cookies_; }

  // Call-outs. The handle must be kept: it cancels when destroyed.
  virtual Calls& calls() = 0;
  // The worker of the stream: for objects of which it has one (worker::WorkerLocal), and for what works beyond the
  // stream.
  virtual worker::WorkerServices& worker() = 0;
  // The worker's statistics.
  virtual observability::StatsCells& cells() = 0;
  // For decisions by chance, not for secrets.
  virtual uint64_t random() = 0;
  // When this turn of the worker's loop began.
  virtual Time now() const = 0;

 protected:
  friend class ChainRunner;
  friend class Context;

  // Chooses the route anew, by the request's head as it stands, in the table that the stream has pinned. May answer the
  // request.
  virtual void chooseRoute() = 0;
  // As Context's.
  virtual bool awaitRoutes(RouteWaiter&) { return false; }
  virtual bool awaitCluster(const std::shared_ptr<const route::ClusterSource>& /*source*/, std::string_view /*name*/,
                            RouteWaiter&) {
    return false;
  }

  // Behind the last filter: chooses the cluster of the route anew where what filters left tells the user.
  void chooseByMetadata() {
    if (route_.choice != nullptr) route::Table::chooseByMetadata(request(), info_, route_);
  }

  // Forgets the request that went before; keeps the arena's first block.
  void renew() {
    info_.reset();  // has something in the arena
    arena_.reset();
    request_headers_.emplace(arena_);
    response_headers_.emplace(arena_);
    request_trailers_.emplace(arena_);
    response_trailers_.emplace(arena_);
    route_ = {};
    upstream_choice_ = nullptr;
    response_cookies_ = nullptr;
    runner_ = nullptr;
  }

  base::Arena arena_;
  std::optional<http::RequestHeaders> request_headers_;
  std::optional<http::ResponseHeaders> response_headers_;
  std::optional<http::Trailers> request_trailers_;
  std::optional<http::Trailers> response_trailers_;
  stream::StreamInfo info_;
  stream::StreamInfo* facts_ = &info_;  // of another stream where this one is a part of it
  base::Arena* info_arena_ = &arena_;   // same
  route::Match route_;
  UpstreamChoice* upstream_choice_ = nullptr;         // in the arena
  const ResponseCookie* response_cookies_ = nullptr;  // same
  ChainRunner* runner_ = nullptr;
};

// Has the client of a stream given the cookies.
class ResponseCookies final : public route::CookieSink {
 public:
  explicit ResponseCookies(Stream& stream) : stream_(stream) {}
  void addCookie(std::string_view set_cookie) override { stream_.addResponseCookie(set_cookie); }

 private:
  Stream& stream_;
};

}  // namespace sluice::filter
