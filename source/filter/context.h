// A stream as one filter of its chain sees it: the messages, the filter's own settings, and what it may do.
//
// Each filter has one of its own, for as long as it lives: hooks get it, and what a filter waits for (a timer, the
// answer of a call-out) may use it as well. What is asked of it is answered for its filter, whichever hook of whichever
// filter runs. Thread: the worker of the stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "source/filter/stream.h"
#include "source/filter/token.h"
#include "source/runtime/fraction.h"

namespace sluice::filter {

class Context {
 public:
  Context(Stream& stream, uint8_t index) : stream_(stream), index_(index) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // --- the exchange ---
  http::RequestHeaders& request() { return stream_.request(); }
  const http::RequestHeaders& request() const { return stream_.request(); }
  // Empty (status 0) until the response head has come.
  http::ResponseHeaders& response() { return stream_.response(); }
  // Empty until they have come.
  http::Trailers& requestTrailers() { return stream_.requestTrailers(); }
  http::Trailers& responseTrailers() { return stream_.responseTrailers(); }
  stream::StreamInfo& info() { return stream_.info(); }
  const stream::StreamInfo& info() const { return stream_.info(); }
  // A text among info().metadata(), cheap where nobody asks for it.
  void setMetadataText(std::string_view filter, std::string_view key, std::string_view text) {
    info().metadata().setText(stream_.infoArena(), filter, key, text);
  }
  // Fields under `filter`, in place of all that stands there; shared by streams, and as cheap.
  void setMetadataShared(std::string_view filter, std::shared_ptr<const stream::MetadataFields> fields) {
    info().metadata().setShared(stream_.infoArena(), filter, std::move(fields));
  }
  // Who the request comes from, in place of what another filter said. (identityFields(), in filter/identity.h)
  void setIdentity(std::shared_ptr<const stream::MetadataFields> identity) {
    setMetadataShared(stream::kIdentityMetadata, std::move(identity));
  }
  // For text and small objects that live as long as the stream.
  base::Arena& arena() { return stream_.arena(); }

  // Nothing follows the head, neither body nor trailers, as this filter was given it. False until its headers hook
  // runs.
  bool requestHeadersOnly() const { return request_headers_only_; }
  bool responseHeadersOnly() const { return response_headers_only_; }

  // --- going on ---
  // The right to go on after Pause. Call inside a hook of this filter, at most once; elsewhere it is a dead token.
  ResumeToken resumeToken();
  // Sends body bytes in front of the trailers: from the trailers hook, or while it is paused.
  void emitRequestData(std::string_view bytes);
  void emitResponseData(std::string_view bytes);
  // The message gets trailers though it may come without: fill them in. They go on behind the end of the body. Call it
  // at the latest while the hook that is given the end (headers, data or body) runs or is paused; after that nobody
  // sees them. What may be said of the length is taken off a head that this filter still has; where the head has gone
  // on with content-length, HTTP/1 drops the trailers.
  http::Trailers& addRequestTrailers();
  http::Trailers& addResponseTrailers();

  // --- the route ---
  // The route; route().route is null when none matched. It and what it says stay valid for the stream's life.
  const route::Match& route() const { return stream_.route(); }
  // The settings for this filter of the most specific level that has some; null if none has. (proto:
  // typed_per_filter_config)
  const route::PerFilterConfig* routeConfig() const { return stream_.route().perFilter(slot()); }
  // The same as the filter's own type (route::settingsAs).
  template <typename Config>
  const Config* routeConfigAs() const {
    return route::settingsAs<Config>(routeConfig());
  }
  // The route's value (route::RouteSettings) if it has one, else this filter's own.
  template <typename Value>
  const Value& settingsOr(const Value& own) const {
    const auto* const of_route = routeConfigAs<route::RouteSettings<Value>>();
    return of_route == nullptr ? own : of_route->value;
  }
  // Those of every level, from the least specific (route table, virtual host, route, weighted cluster) to the most.
  route::PerFilterLevels routeConfigs() const { return routeConfigs(stream_.route()); }
  // The same of another match in the stream's table.
  route::PerFilterLevels routeConfigs(const route::Match& match) const { return match.perFilterLevels(slot()); }
  // What the configuration says of the route under the names of filters; null if nothing. (proto: Route.metadata)
  const stream::MetadataFields* routeMetadata() const { return stream_.route().metadata(); }
  // Chooses the route anew by the request's head as it stands now, in the same route table, or that of its scope.
  // Possible while this filter has the head: in its headers or body hook, and while it is paused there. The filters
  // behind it are those that the new route wants, with its settings; those in front stay. False: too late, or the
  // request was answered meanwhile (then return from the hook, and leave the token).
  bool rematchRoute();
  // What the route says of each of the filters in front of this one, be it only whether it is there; null: nothing.
  // They have seen the request, and do not see it again with another route.
  std::vector<const route::PerFilterConfig*> routeConfigsInFront() const;
  // Asks for the routes of the request that are had on demand; `waiter` is told when they are there, or will not be. It
  // may be destroyed or unlinked before. False: there is nothing to ask for, or too much is asked for already.
  bool awaitRoutes(RouteWaiter& waiter) { return stream_.awaitRoutes(waiter); }
  // The same for the cluster that the request goes to, which is not there: it is asked for at `source`.
  bool awaitCluster(const std::shared_ptr<const route::ClusterSource>& source, RouteWaiter& waiter) {
    return stream_.awaitCluster(source, cluster(), waiter);
  }
  // The name of the cluster that the request goes to, as far as is known; empty if the route leads to none.
  std::string_view cluster() const;
  // Sends the request to another cluster than the route says; the rest of the route holds. One that is not there is
  // answered as the route says (cluster_not_found_response_code). Without effect once the head has left the chain.
  void setCluster(std::string_view name);
  // The host that an upstream filter's attempt goes to ("10.0.0.1:80"); empty elsewhere.
  std::string_view attemptHost() const { return stream_.attemptHost(); }
  // Sends the request to the host of that address ("10.0.0.1:80") if the cluster has it and it may serve. Else the
  // balancer picks, or with `only` the answer is 503. Without effect where requests choose their hosts (ORIGINAL_DST).
  void setUpstreamHost(std::string_view address, bool only = false);
  // Says what the name of the request's host stands for, for clusters whose hosts requests name (dynamic forward
  // proxies). `host` lives as long as the filter.
  void setResolvedHost(const dns_cache::ResolvedHost& host);

  // --- the world ---
  // Call-outs. The handle must be kept: it cancels when destroyed.
  Calls& calls() { return stream_.calls(); }
  // The worker: for objects of which it has one (worker::WorkerLocal), and for what works beyond the stream.
  worker::WorkerServices& worker() { return stream_.worker(); }
  // When this turn of the loop began.
  Stream::Time now() const { return stream_.now(); }
  std::chrono::system_clock::time_point wallNow() const;
  // For decisions by chance, not for secrets.
  uint64_t random() { return stream_.random(); }
  // Whether this request is of those that chance takes.
  bool sample(const runtime::Fraction& share) {
    return share.sample([this] { return random(); });
  }
  // Statistics whose handles the filter's factory made.
  void count(observability::Counter counter, uint64_t n = 1) { stream_.cells().add(counter, n); }
  void add(observability::Gauge gauge, uint64_t n = 1) { stream_.cells().add(gauge, n); }
  void sub(observability::Gauge gauge, uint64_t n = 1) { stream_.cells().sub(gauge, n); }
  // In the unit that the histogram's name tells.
  void record(observability::Histogram histogram, uint64_t value) { stream_.cells().record(histogram, value); }

 private:
  friend class ChainRunner;

  route::FilterSlot slot() const;
  UpstreamChoice& choice();

  Stream& stream_;
  const uint8_t index_;  // in the chain
  bool request_headers_only_ = false;
  bool response_headers_only_ = false;
};

}  // namespace sluice::filter
