// The HTTP filters between the router and its hosts: of a cluster (HttpProtocolOptions.http_filters), or of the router
// for clusters that have none (Router.upstream_http_filters).
//
// An attempt that has them sends through this stage; each exchange that it begins gets filters of its own
// (UpstreamChain), be it the first, a retry or a repetition. In the attempt, from its start to its destruction: the
// head of a response refers to the memory of its filters. Thread: the worker's.
#pragma once

#include <memory>

#include "source/router/upstream_chain.h"
#include "source/upstream/attempt.h"
#include "source/upstream/exchange_stage.h"

namespace sluice::router {

class UpstreamFilters final : public upstream::ExchangeStage {
 public:
  using Config = UpstreamChain::Config;

  // For an attempt that is about to be started, whose cluster is set: keeps what its filters need in `place`, where
  // they are those of the cluster or else `of_router`. Null in both: it has none.
  static void choose(std::unique_ptr<UpstreamFilters>& place, upstream::Attempt& attempt, const Config& of_router,
                     const RequestOrigin& origin) {
    const Config& of_cluster = attempt.cluster()->config().http_filters;
    const Config& config = of_cluster ? of_cluster : of_router;
    config ? set(place, attempt, config, origin) : attempt.setStage(nullptr);
  }

  upstream::pool::Exchange& begin(upstream::pool::ExchangeEvents& events) override;
  const upstream::pool::Exchange& exchange() const override { return chain_->exchange(); }
  void sendHeaders(const http::RequestHeaders& head, bool end_stream) override {
    chain_->sendHeaders(head, end_stream);
  }
  void sendData(std::string_view data, bool end_stream) override { chain_->sendData(data, end_stream); }
  void sendTrailers(const http::Trailers& trailers) override { chain_->sendTrailers(trailers); }
  bool open() const override { return chain_ != nullptr && chain_->open(); }
  size_t unsentBytes() const override { return chain_->unsentBytes(); }
  void resumeReading() override {
    if (chain_) chain_->resumeReading();
  }
  void abandon() override {
    if (chain_) chain_->abandon();
  }
  bool ofHost() const override { return chain_ == nullptr || chain_->ofHost(); }
  // As of UpstreamChain.
  void tellFlag(stream::StreamInfo& info) const {
    if (chain_) chain_->tellFlag(info);
  }

 private:
  explicit UpstreamFilters(const RequestOrigin& origin) : origin_(origin) {}
  static void set(std::unique_ptr<UpstreamFilters>& place, upstream::Attempt& attempt, const Config& config,
                  const RequestOrigin& origin);

  const RequestOrigin origin_;
  Config config_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  const upstream::Attempt* attempt_ = nullptr;  // whose stage it is, and which has it
  std::unique_ptr<UpstreamChain> chain_;        // null until the first exchange
};

}  // namespace sluice::router
