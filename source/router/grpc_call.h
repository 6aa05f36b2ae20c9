// One gRPC call of a filter on the worker's own HTTP/2 connections.
// (docs: "gRPC over HTTP2" of the gRPC project)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/event/loop.h"
#include "source/filter/calls.h"
#include "source/upstream/attempt.h"
#include "source/upstream/kept_body.h"

namespace sluice::router {

// Thread: the worker's. `events` is told from the loop only; it may destroy the call meanwhile.
class ClusterGrpcCall final : public filter::GrpcCall,
                              public upstream::AttemptOf<ClusterGrpcCall>,
                              private event::TurnTask {
 public:
  ClusterGrpcCall(event::Loop& loop, upstream::ClusterSet& clusters, filter::GrpcCallRequest request,
                  filter::GrpcEvents& events);
  ~ClusterGrpcCall() override;

  void sendMessage(std::string_view message, bool last) override;
  void sendEnd() override;
  size_t unsentBytes() const override;

 private:
  friend class upstream::AttemptOf<ClusterGrpcCall>;

  // Sent bytes that are kept until the answer begins, so that a call which the server did not look at can be sent
  // again.
  static constexpr size_t kMaxKept = 64 * 1024;

  void runAtTurnEnd() override;  // starts the call

  void onReady() override;
  http::Trailers& beginTrailers() { return trailers_; }
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {
    if (!ended_) events_.onGrpcProgress();
  }
  std::optional<upstream::RetryState::Repeat> retry(const upstream::AttemptEnd& failure);
  void onFailed(const upstream::AttemptEnd& failure);
  void onInterimHead() {}
  void onHead(bool end_stream);
  void onData(std::string_view data, bool end_stream);
  void onTrailers() { endByFields(trailers_); }

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
  base::Arena arena_;
  http::RequestHeaders headers_{arena_};
  http::Trailers trailers_{arena_};
  upstream::RetryState retries_;
  upstream::KeptBody sent_{kMaxKept};
  bool sent_end_ = false;
  bool ended_ = false;
  std::string partial_;   // of a frame that is not whole yet
  bool* gone_ = nullptr;  // set when this is destroyed inside of a callback
  event::Timer timer_;
};

}  // namespace sluice::router
