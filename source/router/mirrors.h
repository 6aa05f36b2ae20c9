// Copies of requests for other clusters, whose answers are thrown away. (proto: RouteAction.request_mirror_policies)
//
// A copy is an upstream::Attempt of its own, with a head of its own. It goes out behind the request itself, piece by
// piece, and nobody waits for it: it has no part in the request's flow control, and one that cannot keep up is dropped.
// Body bytes are not kept for a copy that has a connection; copies that wait for one share what has come.
// A copy outlives its stream if it had the whole request by then. Thread: the worker's.
//
// (stats: those of its cluster, as for any attempt; cluster.NAME.retry_or_shadow_abandoned of the request's own cluster
// for those that were dropped)
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "source/base/local_ptr.h"
#include "source/event/loop.h"
#include "source/filter/stream.h"
#include "source/route/mirror_policy.h"
#include "source/upstream/worker_cluster.h"
#include "source/worker/services.h"

namespace sluice::router {

class Mirror;

// All that are under way on a worker, and a part of it. The breakers of their clusters bound them.
class Mirrors final : private event::TurnTask {
 public:
  Mirrors(event::Loop& loop, upstream::ClusterSet& clusters);
  ~Mirrors() override;  // cancels

  size_t size() const { return under_way_.size(); }

 private:
  friend class Mirror;
  friend class RequestMirrors;
  using List = std::list<std::unique_ptr<Mirror>>;

  void runAtTurnEnd() override;

  event::Loop& loop_;
  upstream::ClusterSet& clusters_;
  List under_way_;
  List over_;  // until the end of the turn: their callbacks may run
};

// Body bytes that copies without a connection wait with.
struct HeldBody : base::LocalCounted {
  std::string bytes;
};

// The copies of one request, in the arena of its stream.
class RequestMirrors {
 public:
  struct Request {
    std::string_view authority;            // before a host had a say in it
    bool end_stream = false;               // the head is all of it
    std::chrono::milliseconds timeout{0};  // of each copy, from the end of the request; 0: none
    size_t most_waiting = 0;               // bytes of body that may wait for a copy
  };
  // Sends what the policies want of the head as it stands. Null: they want nothing, or there are no such clusters.
  static RequestMirrors* start(const worker::WorkerServices& worker, filter::Stream& stream,
                               const route::MirrorPolicies& policies, const Request& request);
  ~RequestMirrors() { letGo(); }

  // The next of the body. How many copies could not keep up and were dropped.
  size_t data(std::string_view data, bool end_stream);
  void trailers(const http::Trailers& trailers);
  // The stream is over: copies that have not got all of the request are given up.
  void letGo();

 private:
  friend class Mirror;
  struct Slot {
    Mirror* mirror = nullptr;  // null: it is over
    bool sends = false;        // it had a connection before the present piece
  };

  RequestMirrors(std::span<Slot> slots, size_t most_waiting) : slots_(slots), most_waiting_(most_waiting) {}
  size_t hold(std::string_view data, bool end_stream);

  const std::span<Slot> slots_;
  const size_t most_waiting_;
  base::LocalPtr<HeldBody> held_;  // null: nothing waits
};

}  // namespace sluice::router
