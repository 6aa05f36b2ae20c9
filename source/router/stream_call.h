// One HTTP call of a filter whose body and answer go in pieces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/event/loop.h"
#include "source/filter/calls.h"
#include "source/upstream/attempt.h"

namespace sluice::router {

// Thread: the worker's. `events` is told from the loop only; it may destroy the call meanwhile.
class StreamCall final : public filter::HttpStreamCall,
                         private upstream::AttemptOf<StreamCall>,
                         private event::TurnTask {
 public:
  StreamCall(event::Loop& loop, upstream::ClusterSet& clusters, filter::HttpCallRequest request, bool end_stream,
             filter::HttpStreamEvents& events);
  ~StreamCall() override { cancel(); }

  void sendData(std::string_view data, bool end_stream) override;
  void sendTrailers(filter::HttpStreamEvents::Fields trailers) override;
  size_t unsentBytes() const override;
  void resumeReading() override { Attempt::resumeReading(); }

 private:
  friend class upstream::AttemptOf<StreamCall>;

  void runAtTurnEnd() override;  // starts the call

  void onReady() override;
  http::Trailers& beginTrailers() { return response_trailers_.emplace(response_arena_); }
  size_t responseCredit() override { return events_.credit(); }
  void onRequestBytesSent() override { events_.onProgress(); }

  // What was sent is not kept, so it is sent once.
  std::optional<upstream::RetryState::Repeat> retry(const upstream::AttemptEnd&) { return std::nullopt; }
  void onFailed(const upstream::AttemptEnd& failure);
  void onInterimHead() {}
  void onHead(bool end_stream);
  void onData(std::string_view data, bool end_stream);
  void onTrailers();

  // Nothing of the cluster is held any more, and nothing more is told by it.
  void finish();
  void fail(std::string_view why);

  const filter::HttpCallRequest request_;
  filter::HttpStreamEvents& events_;
  base::Arena arena_;
  http::RequestHeaders headers_{arena_};
  http::Trailers trailers_{arena_};
  std::string waiting_;  // for a connection
  bool headers_only_;
  bool request_ended_;
  bool has_trailers_ = false;
  bool done_ = false;
  base::Arena response_arena_;
  std::optional<http::Trailers> response_trailers_;
  event::Timer timer_;
};

}  // namespace sluice::router
