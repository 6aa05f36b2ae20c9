// One gRPC call of a filter on the worker's own HTTP/2 connections.
// (docs: "gRPC over HTTP2" of the gRPC project)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/event/loop.h"
#include "source/filter/calls.h"
#include "source/router/lease.h"

namespace sluice::router {

// Thread: the worker's. `events` is told from the loop only; it may destroy the call meanwhile.
class ClusterGrpcCall final : public filter::GrpcCall, private upstream::pool::ExchangeEvents, private event::TurnTask {
 public:
  ClusterGrpcCall(event::Loop& loop, upstream::ClusterSet& clusters, observability::StatsCells& cells,
                  filter::GrpcCallRequest request, filter::GrpcEvents& events);
  ~ClusterGrpcCall() override;

  void sendMessage(std::string_view message, bool last) override;
  void sendEnd() override;
  size_t unsentBytes() const override;

 private:
  // Sent bytes that are kept until the answer begins, so that a call which the server did not look at can be sent
  // again.
  static constexpr size_t kMaxKept = 64 * 1024;

  void runAtTurnEnd() override;  // starts the call

  void onReady() override;
  void onFailure(upstream::pool::Failure failure, std::string_view text) override;
  http::ResponseHeaders& beginResponse() override;
  void onInformational() override {}
  void onResponseHeaders(bool end_stream) override;
  void onResponseData(std::string_view data, bool end_stream) override;
  http::Trailers& beginResponseTrailers() override { return trailers_.emplace(response_arena_); }
  void onResponseTrailers() override;
  void onResponseReset(http::ResetReason reason, std::string_view detail) override;
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {
    if (!ended_) events_.onGrpcProgress();
  }

  void buildHeaders();
  void send(std::string_view bytes, bool last);
  // Gives whole messages; false if the call is over or gone.
  bool takeMessages(std::string_view data);
  bool takeMessage(std::string_view message);
  void endByFields(const http::HeaderList& fields);
  void end(int status, std::string_view message);

  event::Loop& loop_;
  const filter::GrpcCallRequest request_;
  filter::GrpcEvents& events_;
  Lease lease_;
  base::Arena arena_;
  http::RequestHeaders headers_;
  upstream::pool::Exchange exchange_{*this};
  std::string kept_;  // waits for a connection, or may have to be sent again
  bool keep_ = true;
  bool sent_end_ = false;
  bool replayed_ = false;
  bool ended_ = false;
  base::Arena response_arena_;
  std::optional<http::ResponseHeaders> response_;
  std::optional<http::Trailers> trailers_;
  std::string partial_;   // of a frame that is not whole yet
  bool* gone_ = nullptr;  // set when this is destroyed inside of a callback
  event::Timer timer_;
};

}  // namespace sluice::router
