// The router: the end of the filter chain. Takes a request to a host of the cluster that its route names, and the
// response back.
//
// What goes out is a ReplayableRequest, by one upstream::Attempt; upstream::RetryState says when an attempt that failed
// is made again. Thread: a Router for each stream, in its arena; of its worker.
#pragma once

#include <memory>

#include "source/filter/chain.h"
#include "source/filter/terminal.h"
#include "source/router/strict_words.h"

namespace sluice::router {

// (proto: envoy.extensions.filters.http.router.v3.Router)
struct RouterSettings final : filter::TerminalConfig {
  // A worker with clusters.
  filter::Terminal* make(worker::WorkerServices& services, filter::ChainRunner& runner, filter::Stream& stream,
                         filter::Downstream& downstream) const override;

  bool suppress_envoy_headers = false;
  bool dynamic_stats = true;
  bool suppress_grpc_code_stats = false;
  bool heeds_expected_timeout = false;
  bool refuses_early_connect_data = false;
  StrictWords strict_words;
  // What requests pass on their way to hosts of clusters without filters of their own. Null: nothing.
  std::shared_ptr<const filter::ChainConfig> upstream_http_filters;
};

// Answers in the host's stead, with what the route adds to responses.
void answerLocally(filter::ChainRunner& runner, filter::Stream& stream, filter::Reply reply);

}  // namespace sluice::router
