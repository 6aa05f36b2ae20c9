// One way of a request to a host and of its response back through the upstream filters: the same engine as a client's
// stream (filter::ChainRunner), between an attempt and its exchange.
//
//   attempt -> runner -> exchange     the request: this is the runner's Terminal
//   attempt <- runner <- exchange     the response: this is its Downstream
//
// To the filters it is a stream of its own. It has the head as the router made it, so an attempt that follows does not
// see what filters did to this one. An answer of a filter is the attempt's. Thread: the worker's.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/event/loop.h"
#include "source/filter/chain.h"
#include "source/filter/stream.h"
#include "source/upstream/pool/exchange.h"
#include "source/upstream/worker_cluster.h"
#include "source/worker/services.h"

namespace sluice::router {

// Whose request goes through upstream filters.
struct RequestOrigin {
  worker::WorkerServices& worker;
  // The client's stream: filters see its route and share its facts (metadata, filter state, flags). Null: the request
  // outlives it, being a copy; then there is no route, and filters see of the client no more than `addresses`.
  filter::Stream* client = nullptr;
  upstream::ClientAddresses addresses = {};               // text that outlives the request
  std::chrono::system_clock::time_point start_time = {};  // of a copy
};

class UpstreamChain final : public event::Deferred,
                            private filter::Stream,
                            private filter::Downstream,
                            private filter::Terminal,
                            private upstream::pool::ExchangeEvents {
 public:
  using Config = std::shared_ptr<const filter::ChainConfig>;

  // `user`: the attempt. `host`: where it goes, with port. `window`: bytes that may be on their way in one direction.
  UpstreamChain(Config config, const RequestOrigin& origin, const upstream::cluster::ClusterConfig& cluster,
                std::string_view host, size_t window, upstream::pool::ExchangeEvents& user);
  ~UpstreamChain() override { abandon(); }

  upstream::pool::Exchange& exchange() { return exchange_; }
  const upstream::pool::Exchange& exchange() const { return exchange_; }

  // --- as of upstream::ExchangeStage
  void sendHeaders(const http::RequestHeaders& head, bool end_stream);
  void sendData(std::string_view data, bool end_stream);
  void sendTrailers(const http::Trailers& trailers);
  bool open() const { return open_; }
  size_t unsentBytes() const;
  void resumeReading() {
    if (open_ && runner_) runner_->responseProgress();
  }
  void abandon();
  bool ofHost() const { return of_host_; }
  // The answer that was made here is the client's: what it says of the request.
  void tellFlag(stream::StreamInfo& info) const {
    if (flag_) info.response_flags.set(*flag_);
  }

 private:
  // Is shown the answers that are made here, which need no connection. Their flag is not the request's yet: another
  // attempt may follow.
  class ReplyWitness final : public filter::ReplyMapper {
   public:
    explicit ReplyWitness(UpstreamChain& chain) : chain_(chain) {}
    void map(filter::Reply& reply, filter::Stream&) const override {
      chain_.of_host_ = false;
      chain_.exchange_.abandon();
      chain_.details_ = reply.details;
      chain_.flag_ = std::exchange(reply.flag, std::nullopt);
    }

   private:
    UpstreamChain& chain_;
  };

  // --- filter::Stream
  filter::Calls& calls() override { return worker_.calls; }
  worker::WorkerServices& worker() override { return worker_; }
  observability::StatsCells& cells() override { return worker_.cells; }
  uint64_t random() override { return worker_.random.next(); }
  Time now() const override { return worker_.loop.now(); }
  void chooseRoute() override {}  // the request is on its way
  std::string_view attemptHost() const override { return host_; }

  // --- filter::Terminal: the request has got through the filters
  void requestHeaders(bool end_stream) override;
  void requestData(std::string_view data, bool end_stream) override;
  void requestTrailers() override { exchange_.sendTrailers(filter::Stream::requestTrailers()); }
  size_t unsentRequestBytes() const override { return exchange_.unsentBytes(); }
  void responseCreditGrew() override { exchange_.resumeReading(); }
  void deadlineExpired() override {}  // its limits are the attempt's
  void cancel() override { exchange_.abandon(); }

  // --- upstream::pool::ExchangeEvents: the host
  void onReady() override;
  void onFailure(upstream::pool::Failure failure, std::string_view text) override { user_.onFailure(failure, text); }
  http::ResponseHeaders& beginResponse() override;
  void onInformational() override { sendInformational(response()); }
  void onResponseHeaders(bool end_stream) override;
  void onResponseData(std::string_view data, bool end_stream) override { runner_->responseData(data, end_stream); }
  http::Trailers& beginResponseTrailers() override { return responseTrailers(); }
  void onResponseTrailers() override { runner_->responseTrailers(); }
  void onResponseReset(http::ResetReason reason, std::string_view detail) override;
  size_t responseCredit() override { return runner_ ? runner_->responseCredit() : window_; }
  void onRequestBytesSent() override { runner_->requestProgress(); }

  // --- filter::Downstream: the response has got through the filters
  void sendInformational(const http::ResponseHeaders& headers) override;
  void sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) override;
  void sendResponseData(std::string_view data, bool end_stream) override;
  void sendResponseTrailers(http::Trailers& trailers) override;
  void resetStream(std::string_view details) override;
  size_t unsentResponseBytes() const override;
  void armDeadline(std::chrono::milliseconds) override {}  // nobody here has one
  void requestCreditGrew() override {
    if (open_) user_.onRequestBytesSent();
  }
  void tunnelEnded() override;
  const filter::ReplyMapper* replyMapper() const override { return &reply_witness_; }

  void takeHead(const http::RequestHeaders& head);
  void noteEndOfResponse();

  const Config config_;
  const std::string host_;
  worker::WorkerServices& worker_;
  upstream::pool::ExchangeEvents& user_;
  const size_t window_;
  filter::UpstreamChoice choice_;  // what the context's cluster() says
  const ReplyWitness reply_witness_{*this};
  upstream::pool::Exchange exchange_{*this};
  std::optional<filter::ChainRunner> runner_;  // none before the head
  std::string_view details_;                   // of an answer that was made here
  std::optional<stream::ResponseFlag> flag_;   // same
  bool open_ = false;
  bool of_host_ = true;
  bool sending_ = false;         // inside sendData
  bool response_ended_ = false;  // and the attempt knows
};

}  // namespace sluice::router
