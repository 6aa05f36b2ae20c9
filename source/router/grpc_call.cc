#include "source/router/grpc_call.h"

#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"
#include "source/router/host_choice.h"

namespace sluice::router {

namespace grpc = http::grpc;
using upstream::AttemptEnd;

ClusterGrpcCall::ClusterGrpcCall(event::Loop& loop, upstream::ClusterSet& clusters, filter::GrpcCallRequest request,
                                 filter::GrpcEvents& events)
    : AttemptOf(arena_), loop_(loop), request_(std::move(request)), events_(events), timer_(loop.timers(), [this] {
        expire();
      }) {
  setCluster(clusters.find(request_.cluster));
  if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
  loop_.atTurnEnd(*this);
}

ClusterGrpcCall::~ClusterGrpcCall() {
  if (gone_ != nullptr) *gone_ = true;
  cancel();
}

void ClusterGrpcCall::buildHeaders() {
  headers_.method = "POST";
  headers_.scheme = scheme();
  headers_.path = request_.path;
  headers_.authority = request_.authority.empty() ? std::string_view(request_.cluster) : request_.authority;
  headers_.protocol = http::Protocol::kHttp2;
  headers_.addView(http::Name::kTe, "trailers");
  headers_.addView(http::Name::kContentType, grpc::kContentType);
  if (request_.timeout.count() > 0) headers_.add(http::Name::kGrpcTimeout, grpc::formatTimeout(request_.timeout));
  for (const auto& [name, value] : request_.metadata) headers_.addView(name, value);
}

void ClusterGrpcCall::runAtTurnEnd() {
  if (ended_) return;
  if (!cluster()) return end(grpc::kUnavailable, "no_cluster");
  buildHeaders();
  if (cluster()->drops() != upstream::WorkerCluster::Drop::kNone) return end(grpc::kUnavailable, "drop_overload");
  if (!take(pickHost(*cluster(), headers_, nullptr))) return end(grpc::kUnavailable, "no_healthy_upstream");
  headers_.scheme = scheme();
  start(headers_, {}, upstream::cluster::RoutingPriority::kDefault);
}

void ClusterGrpcCall::onReady() {
  if (!exchange().multiplexed()) return end(grpc::kUnavailable, "cluster_speaks_no_http2");
  sendHead(false);
  if (open()) {
    sent_.sendTo(*this, sent_end_);
    sent_.keep({});
  }
  if (!ended_) events_.onGrpcProgress();
}

void ClusterGrpcCall::send(std::string_view bytes, bool last) {
  if (ended_ || sent_end_) return;
  sent_end_ = last;
  if (!open()) return sent_.hold(bytes);
  sent_.keep(bytes);
  sendData(bytes, last);
}

void ClusterGrpcCall::sendMessage(std::string_view message, bool last) {
  send(grpc::framed(message), last);
}

void ClusterGrpcCall::sendEnd() {
  send({}, true);
}

size_t ClusterGrpcCall::unsentBytes() const {
  return open() ? exchange().unsentBytes() : sent_.size();
}

void ClusterGrpcCall::onHead(bool end_stream) {
  sent_.forget();
  const http::ResponseHeaders& head = responseHead();
  if (end_stream || head.has(http::Name::kGrpcStatus)) return endByFields(head);
  if (status() != 200) return end(grpc::statusOfHttp(status()), absl::StrCat("HTTP status ", status()));
  if (!grpc::isGrpcContentType(head.get(http::Name::kContentType).value_or(""))) {
    return end(grpc::kInternal, "the answer is not gRPC");
  }
}

void ClusterGrpcCall::onData(std::string_view data, bool end_stream) {
  if (!takeMessages(data)) return;
  if (end_stream) end(grpc::kInternal, "the answer ended without a grpc-status");
}

bool ClusterGrpcCall::takeMessage(std::string_view message) {
  bool gone = false;
  gone_ = &gone;
  events_.onGrpcMessage(message);
  if (gone) return false;
  gone_ = nullptr;
  return !ended_;
}

bool ClusterGrpcCall::takeMessages(std::string_view data) {
  while (!ended_ && !data.empty()) {
    // What is whole in `data` is given as it stands; only what is not is copied.
    if (partial_.size() < grpc::kFrameHead && partial_.size() + data.size() < grpc::kFrameHead) {
      partial_.append(data);
      return true;
    }
    std::string head = partial_.substr(0, grpc::kFrameHead);
    if (head.size() < grpc::kFrameHead) head.append(data.substr(0, grpc::kFrameHead - head.size()));
    if (head[0] != 0) {
      end(grpc::kInternal, "compressed messages are not supported");
      return false;
    }
    const size_t length = grpc::messageLength(head);
    if (length > request_.max_message) {
      end(grpc::kResourceExhausted, absl::StrCat("a message of ", length, " bytes is too large"));
      return false;
    }
    const size_t missing = grpc::kFrameHead + length - partial_.size();
    if (data.size() < missing) {
      partial_.append(data);
      return true;
    }
    if (partial_.empty()) {
      if (!takeMessage(data.substr(grpc::kFrameHead, length))) return false;
    } else {
      std::string frame = std::move(partial_);
      partial_ = {};
      frame.append(data.substr(0, missing));
      if (!takeMessage(std::string_view(frame).substr(grpc::kFrameHead))) return false;
    }
    data.remove_prefix(missing);
  }
  return !ended_;
}

void ClusterGrpcCall::endByFields(const http::HeaderList& fields) {
  const std::optional<std::string_view> text = fields.get(http::Name::kGrpcStatus);
  if (!text) {
    if (status() == 200) return end(grpc::kInternal, "the answer ended without a grpc-status");
    return end(grpc::statusOfHttp(status()), absl::StrCat("HTTP status ", status()));
  }
  int code = grpc::parseStatus(*text);
  if (code < 0) code = grpc::kUnknown;
  if (code == grpc::kOk && !partial_.empty()) return end(grpc::kInternal, "the last message was cut short");
  end(code, grpc::decodeMessage(fields.get(http::Name::kGrpcMessage).value_or("")));
}

std::optional<upstream::RetryState::Repeat> ClusterGrpcCall::retry(const AttemptEnd& failure) {
  // A call is a POST: a rate limit asked twice counts twice.
  return retries_.after(failure, {.idempotent = false, .at_hand = sent_.whole()});
}

void ClusterGrpcCall::onFailed(const AttemptEnd& failure) {
  using http::ResetReason;
  switch (failure.kind) {
    case AttemptEnd::Kind::kTimeout:
      return end(grpc::kDeadlineExceeded, "timeout");
    case AttemptEnd::Kind::kNoConnection:
      return end(grpc::kUnavailable,
                 failure.connection == upstream::pool::Failure::kOverflow ? "overflow" : failure.text);
    default:
      break;
  }
  const bool lost = failure.reset == ResetReason::kRefused || failure.reset == ResetReason::kUnprocessed ||
                    failure.reset == ResetReason::kConnectionEnded;
  end(lost ? grpc::kUnavailable : grpc::kInternal, failure.text);
}

// The last thing that is told; nothing of this object may be used behind it.
void ClusterGrpcCall::end(int status, std::string_view message) {
  if (std::exchange(ended_, true)) return;
  timer_.cancel();
  const std::string copy(message);  // it may stand in the response
  cancel();
  events_.onGrpcEnd(status, copy);
}

}  // namespace sluice::router
