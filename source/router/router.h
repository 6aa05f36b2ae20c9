// The router: the end of the filter chain. Takes a request to a host of the cluster that its route names, and the
// response back.
//
// One attempt is one exchange on an upstream connection. A request without a body that dies on a reused connection
// before any byte of an answer is sent once more on a fresh one, if its method is idempotent (RFC 9110 section 9.2.2):
// the peer had closed the connection before it saw the request. One that GOAWAY left out, or that never left, is put on
// another connection whatever its method, while its body is still at hand; one that the host reset as REFUSED_STREAM
// only if its method is idempotent, for there are hosts that say so of what they did process. Thread: one RouterWorker
// for each worker; a Router for each stream, in its arena.
#pragma once

#include <memory>
#include <string>

#include "source/base/random.h"
#include "source/filter/chain.h"
#include "source/filter/terminal.h"
#include "source/observability/stats.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// (proto: envoy.extensions.filters.http.router.v3.Router)
struct RouterSettings : filter::TerminalConfig {
  bool suppress_envoy_headers = false;
};

// What all routers of a worker share.
class RouterWorker : public filter::TerminalMaker {
 public:
  RouterWorker(event::Loop& loop, upstream::ClusterSet& clusters, observability::StatsCells& cells)
      : loop_(loop), clusters_(clusters), cells_(cells) {}

  filter::Terminal* make(const filter::TerminalConfig& config, filter::ChainRunner& runner, filter::Stream& stream,
                         filter::Downstream& downstream) override;

  event::Loop& loop() { return loop_; }
  upstream::ClusterSet& clusters() { return clusters_; }
  observability::StatsCells& cells() { return cells_; }

 private:
  event::Loop& loop_;
  upstream::ClusterSet& clusters_;
  observability::StatsCells& cells_;
};

// Answers in the host's stead, with what the route adds to responses.
void answerLocally(filter::ChainRunner& runner, filter::Stream& stream, filter::Reply reply);

// A host of the cluster for this stream, or kNoHost.
upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const filter::Stream& stream);

}  // namespace sluice::router
