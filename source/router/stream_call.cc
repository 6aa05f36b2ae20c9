#include "source/router/stream_call.h"

#include <utility>

#include "source/router/call_head.h"
#include "source/router/host_choice.h"

namespace sluice::router {
namespace {

using upstream::AttemptEnd;
using Fields = filter::HttpStreamEvents::Fields;

Fields fieldsOf(const http::HeaderList& list) {
  Fields out;
  for (const http::Field& field : list) out.emplace_back(field.name, field.value);
  return out;
}

}  // namespace

StreamCall::StreamCall(event::Loop& loop, upstream::ClusterSet& clusters, filter::HttpCallRequest request,
                       bool end_stream, filter::HttpStreamEvents& events)
    : AttemptOf(response_arena_),
      request_(std::move(request)),
      events_(events),
      headers_only_(end_stream),
      request_ended_(end_stream),
      timer_(loop.timers(), [this] { expire(); }) {
  setCluster(clusters.find(request_.cluster));
  if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
  loop.atTurnEnd(*this);
}

void StreamCall::runAtTurnEnd() {
  if (request_.method == "CONNECT") return fail("protocol_error");  // its answer would be a tunnel
  if (!cluster()) return fail("no_cluster");
  writeHead(request_, scheme(), headers_);
  if (cluster()->drops() != upstream::WorkerCluster::Drop::kNone) return fail("drop_overload");
  if (!take(pickHost(*cluster(), headers_, nullptr))) return fail("no_healthy_upstream");
  headers_.scheme = scheme();
  start(headers_, {}, upstream::cluster::RoutingPriority::kDefault);
}

void StreamCall::onReady() {
  sendHead(headers_only_);
  if (headers_only_) return;
  const bool end_with_data = request_ended_ && !has_trailers_;
  if (!waiting_.empty() || end_with_data) Attempt::sendData(waiting_, end_with_data);
  if (has_trailers_) Attempt::sendTrailers(trailers_);
  const bool waited = !waiting_.empty();
  waiting_ = {};
  if (waited) events_.onProgress();
}

void StreamCall::sendData(std::string_view data, bool end_stream) {
  if (done_ || request_ended_) return;
  request_ended_ = end_stream;
  if (open()) return Attempt::sendData(data, end_stream);
  waiting_.append(data);
}

void StreamCall::sendTrailers(Fields trailers) {
  if (done_ || request_ended_) return;
  request_ended_ = has_trailers_ = true;
  for (const auto& [name, value] : trailers) trailers_.add(name, value);
  if (open()) Attempt::sendTrailers(trailers_);
}

size_t StreamCall::unsentBytes() const {
  return open() ? exchange().unsentBytes() : waiting_.size();
}

void StreamCall::onFailed(const AttemptEnd& failure) {
  fail(failureOf(failure));
}

// Each of these tells as its last step: the asker may destroy the call.
void StreamCall::onHead(bool end_stream) {
  const uint16_t code = status();
  Fields fields = fieldsOf(responseHead());
  if (end_stream) finish();
  events_.onHead(code, std::move(fields), end_stream);
}

void StreamCall::onData(std::string_view data, bool end_stream) {
  if (end_stream) finish();
  events_.onData(data, end_stream);
}

void StreamCall::onTrailers() {
  finish();
  events_.onTrailers(fieldsOf(*response_trailers_));
}

void StreamCall::finish() {
  done_ = true;
  timer_.cancel();
  cancel();
}

void StreamCall::fail(std::string_view why) {
  if (done_) return;
  finish();
  events_.onFailure(why);
}

}  // namespace sluice::router
