#include "source/router/grpc_call.h"

#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"

namespace sluice::router {

namespace grpc = http::grpc;
namespace pool = upstream::pool;

namespace {

uint32_t readLength(std::string_view head) {
  uint32_t length = 0;
  for (size_t i = 1; i < grpc::kFrameHead; ++i) length = length << 8 | static_cast<uint8_t>(head[i]);
  return length;
}

}  // namespace

ClusterGrpcCall::ClusterGrpcCall(event::Loop& loop, upstream::ClusterSet& clusters, observability::StatsCells& cells,
                                 filter::GrpcCallRequest request, filter::GrpcEvents& events)
    : loop_(loop),
      request_(std::move(request)),
      events_(events),
      lease_(cells),
      headers_(arena_),
      timer_(loop.timers(), [this] { end(grpc::kDeadlineExceeded, "timeout"); }) {
  lease_.setCluster(clusters.find(request_.cluster));
  if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
  loop_.atTurnEnd(*this);
}

ClusterGrpcCall::~ClusterGrpcCall() {
  if (gone_ != nullptr) *gone_ = true;
}

void ClusterGrpcCall::buildHeaders() {
  headers_.method = "POST";
  headers_.scheme = lease_.scheme();
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
  buildHeaders();
  const std::string_view why = lease_.take(headers_);
  if (!why.empty()) return end(grpc::kUnavailable, why);
  lease_.pool().request(exchange_, {});
}

void ClusterGrpcCall::onReady() {
  if (!exchange_.multiplexed()) return end(grpc::kUnavailable, "cluster_speaks_no_http2");
  exchange_.sendHeaders(headers_, false);
  if (!kept_.empty() || sent_end_) exchange_.sendData(kept_, sent_end_);
  if (kept_.size() > kMaxKept) keep_ = false;
  if (!keep_) kept_ = {};
  if (!ended_) events_.onGrpcProgress();
}

void ClusterGrpcCall::onFailure(pool::Failure failure, std::string_view text) {
  end(grpc::kUnavailable, failure == pool::Failure::kOverflow ? "overflow" : text);
}

void ClusterGrpcCall::send(std::string_view bytes, bool last) {
  if (ended_ || sent_end_) return;
  sent_end_ = last;
  if (!exchange_.open()) {
    kept_.append(bytes);
    return;
  }
  if (keep_ && kept_.size() + bytes.size() <= kMaxKept) {
    kept_.append(bytes);
  } else {
    keep_ = false;
    kept_ = {};
  }
  exchange_.sendData(bytes, last);
}

void ClusterGrpcCall::sendMessage(std::string_view message, bool last) {
  std::string frame;
  frame.reserve(grpc::kFrameHead + message.size());
  grpc::appendFrameHead(frame, 0, static_cast<uint32_t>(message.size()));
  frame.append(message);
  send(frame, last);
}

void ClusterGrpcCall::sendEnd() {
  send({}, true);
}

size_t ClusterGrpcCall::unsentBytes() const {
  return exchange_.open() ? exchange_.unsentBytes() : kept_.size();
}

http::ResponseHeaders& ClusterGrpcCall::beginResponse() {
  response_arena_.reset();
  return response_.emplace(response_arena_);
}

void ClusterGrpcCall::onResponseHeaders(bool end_stream) {
  keep_ = false;
  kept_ = {};
  if (end_stream || response_->has(http::Name::kGrpcStatus)) return endByFields(*response_);
  if (response_->status != 200) {
    return end(grpc::statusOfHttp(response_->status), absl::StrCat("HTTP status ", response_->status));
  }
  if (!grpc::isGrpcContentType(response_->get(http::Name::kContentType).value_or(""))) {
    return end(grpc::kInternal, "the answer is not gRPC");
  }
}

void ClusterGrpcCall::onResponseData(std::string_view data, bool end_stream) {
  if (!takeMessages(data)) return;
  if (end_stream) end(grpc::kInternal, "the answer ended without a grpc-status");
}

void ClusterGrpcCall::onResponseTrailers() {
  endByFields(*trailers_);
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
    const size_t length = readLength(head);
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
    if (response_->status == 200) return end(grpc::kInternal, "the answer ended without a grpc-status");
    return end(grpc::statusOfHttp(response_->status), absl::StrCat("HTTP status ", response_->status));
  }
  int status = grpc::parseStatus(*text);
  if (status < 0) status = grpc::kUnknown;
  if (status == grpc::kOk && !partial_.empty()) return end(grpc::kInternal, "the last message was cut short");
  end(status, grpc::decodeMessage(fields.get(http::Name::kGrpcMessage).value_or("")));
}

void ClusterGrpcCall::onResponseReset(http::ResetReason reason, std::string_view detail) {
  // A call is a POST: a rate limit asked twice counts twice.
  if (keep_ && exchange_.mayRepeat(reason, false) && !std::exchange(replayed_, true)) {
    return lease_.pool().request(exchange_, {});
  }
  const bool lost = reason == http::ResetReason::kRefused || reason == http::ResetReason::kUnprocessed ||
                    reason == http::ResetReason::kConnectionEnded;
  end(lost ? grpc::kUnavailable : grpc::kInternal, detail);
}

// The last thing that is told; nothing of this object may be used behind it.
void ClusterGrpcCall::end(int status, std::string_view message) {
  if (std::exchange(ended_, true)) return;
  timer_.cancel();
  const std::string copy(message);  // it may stand in the response
  exchange_.abandon();
  lease_.release();
  events_.onGrpcEnd(status, copy);
}

}  // namespace sluice::router
