#include <memory>
#include <optional>

#include "source/base/arena.h"
#include "source/http/grpc.h"
#include "source/http/h1/codec.h"
#include "source/http/h2/codec.h"
#include "source/upstream/health/probe.h"
#include "source/upstream/health/probe_connection.h"

namespace sluice::upstream::health {
namespace {

using Verdict = CheckResult::Verdict;
using Kind = cluster::HealthCheckConfig::Kind;

bool holds(const std::vector<cluster::HealthCheckConfig::Statuses>& ranges, uint16_t status) {
  for (const auto& range : ranges) {
    if (status >= range.from && status < range.to) return true;
  }
  return false;
}

// HealthCheckResponse.status of a body with one message; -1: it is none. (proto: grpc.health.v1.HealthCheckResponse)
int servingStatus(std::string_view body) {
  if (body.size() < http::grpc::kFrameHead || body[0] != 0) return -1;
  const std::string_view message = body.substr(http::grpc::kFrameHead);
  if (message.empty()) return 0;
  // The only field: a small number.
  return message.size() == 2 && message[0] == 0x08 ? message[1] : -1;
}
constexpr int kServing = 1;

// Requests over one connection, one after the other.
class HttpProbe final : public Probe, private ProbeConnectionUser, private http::ClientEvents {
 public:
  HttpProbe(ProbeTarget target, OnResult on_result) : target_(std::move(target)), on_result_(std::move(on_result)) {}

  void begin() override {
    running_ = true;
    if (codec_ && codec_->reusable() && codec_->freeStreams() > 0) {
      fresh_ = false;
      send();
    } else {
      connect();
    }
    settle();
  }
  void abandon() override {
    running_ = false;
    result_.reset();
    disconnect();
  }

 private:
  // Of one check.
  struct Message {
    base::Arena arena;
    http::RequestHeaders request{arena};
    http::ResponseHeaders response{arena};
    http::Trailers trailers{arena};
    std::string body;
  };

  const cluster::HealthCheckConfig& check() const { return target_.check; }
  bool isGrpc() const { return check().kind == Kind::kGrpc; }

  void connect() {
    static const std::vector<std::string> kHttp1{"http/1.1"}, kHttp2{"h2"};
    disconnect();
    fresh_ = true;
    auto opened = ProbeConnection::open(target_, check().http.http2 ? kHttp2 : kHttp1, *this);
    if (!opened.ok()) {
      result_ = notBegun(opened.status());
      return;
    }
    connection_ = *std::move(opened);
  }
  // Not while the codec is at work.
  void disconnect() {
    codec_.reset();
    connection_.reset();
  }

  // The host has the last word: alpn_protocols of the cluster may say something else than the check does.
  void onProbeConnected() override {
    const std::string_view agreed = connection_->applicationProtocol();
    http2_ = isGrpc() || agreed == "h2" || (agreed != "http/1.1" && check().http.http2);
    codec_ = http2_ ? http::h2::makeClientCodec(*this, *connection_, {}, {})
                    : http::h1::makeClientCodec(*this, *connection_, {});
    send();
    settle();
  }

  void send() {
    const cluster::HealthCheckConfig::Http& http = check().http;
    message_ = std::make_unique<Message>();
    answered_ = false;
    http::RequestHeaders& request = message_->request;
    request.method = http.method;
    request.path = http.path;
    request.authority = target_.authority;
    request.scheme = target_.transport != nullptr && target_.transport->isTls() ? "https" : "http";
    for (const auto& [name, value] : http.headers) request.add(name, value);
    if (!http.body.empty() && !isGrpc()) request.set(http::Name::kContentLength, std::to_string(http.body.size()));
    stream_ = codec_->sendHeaders(request, http.body.empty());
    if (stream_ == 0 && http2_) return fail("the host takes no request");
    if (!http.body.empty()) codec_->sendData(stream_, http.body, true);
  }

  void onProbeBytes(std::string_view bytes) override {
    answered_ = true;
    if (!codec_) return onProbeEnd("the host spoke first");
    if (http2_) codec_->tellTime(target_.loop.now());
    if (codec_->receive(bytes)) return onProbeEnd("what the host sent is no HTTP");
    settle();
  }
  void onProbePeerEnd() override {
    const bool whole = codec_ && !codec_->receiveEnd();
    if (!whole || !result_) return onProbeEnd("the host closed the connection");
    disconnect();
    settle();
  }
  // A host may close a connection while it is idle; then nothing was asked, or the question comes again.
  void onProbeEnd(std::string_view detail) override {
    disconnect();
    if (!running_) return;
    if (!fresh_ && !answered_) {
      connect();
    } else if (!result_) {
      fail(detail);
    }
    settle();
  }

  // --- http::ClientEvents
  http::ResponseHeaders& beginResponse(http::StreamId) override {
    message_->response.clear();
    return message_->response;
  }
  void onInformational(http::StreamId) override {}
  void onResponseHeaders(http::StreamId, bool end_stream) override {
    if (end_stream) judge();
  }
  void onResponseData(http::StreamId stream, std::string_view data, bool end_stream) override {
    codec_->consumed(stream, data.size());
    std::string& body = message_->body;
    const size_t limit = isGrpc() ? 1024 : check().http.response_buffer;
    if (body.size() < limit) body.append(data.substr(0, limit - body.size()));
    if (end_stream) judge();
  }
  http::Trailers& beginResponseTrailers(http::StreamId) override {
    message_->trailers.clear();
    return message_->trailers;
  }
  void onResponseTrailers(http::StreamId) override { judge(); }
  void onResponseReset(http::StreamId, http::ResetReason) override { fail("the host reset the request"); }

  void judge() {
    if (!running_) return;
    result_ = isGrpc() ? judgeGrpc() : judgeHttp();
    result_->status = message_->response.status;
    result_->asked_to_fail = !result_->passed() && message_->response.get(cluster::kFailHeader).has_value();
  }

  CheckResult judgeHttp() const {
    const cluster::HealthCheckConfig::Http& http = check().http;
    const http::ResponseHeaders& response = message_->response;
    CheckResult result;
    if (!holds(http.expected, response.status)) {
      result.verdict = holds(http.retriable, response.status) ? Verdict::kRetriable : Verdict::kFailed;
      result.detail = "the status is not among expected_statuses";
      return result;
    }
    if (!hasInOrder(message_->body, http.receive)) {
      return {Verdict::kFailed, 0, false, "the body has not what receive says"};
    }
    if (http.service_name) {
      result.compared_service = true;
      const auto name = response.get("x-envoy-upstream-healthchecked-cluster");
      if (!name || !http.service_name(*name)) {
        result.verdict = Verdict::kFailed;
        result.detail = "another service answers";
        return result;
      }
    }
    if (response.get("x-envoy-degraded")) result.verdict = Verdict::kDegraded;
    return result;
  }

  CheckResult judgeGrpc() const {
    const http::ResponseHeaders& response = message_->response;
    std::optional<std::string_view> status = message_->trailers.get(http::Name::kGrpcStatus);
    if (!status) status = response.get(http::Name::kGrpcStatus);
    const bool ok = response.status == 200 && status && http::grpc::parseStatus(*status) == http::grpc::kOk;
    if (!ok) return {Verdict::kFailed, 0, false, "the call failed"};
    if (servingStatus(message_->body) == kServing) return {};
    return {Verdict::kFailed, 0, false, "the service is not SERVING"};
  }

  void fail(std::string_view detail) {
    if (running_) result_ = CheckResult{Verdict::kNetwork, 0, false, detail};
  }

  // Tells the result, if there is one; outside of the codec.
  void settle() {
    if (!result_ || !running_) return;
    const CheckResult result = *std::exchange(result_, std::nullopt);
    running_ = false;
    if (!check().reuse_connection || !codec_ || !codec_->reusable()) disconnect();
    on_result_(result);
  }

  const ProbeTarget target_;
  const OnResult on_result_;
  ProbeConnection::Ptr connection_;           // null: none
  std::unique_ptr<Message> message_;          // of the last check
  std::unique_ptr<http::ClientCodec> codec_;  // once connected
  std::optional<CheckResult> result_;
  http::StreamId stream_ = 0;
  bool running_ = false;
  bool http2_ = false;     // of codec_
  bool fresh_ = false;     // the connection is of this check
  bool answered_ = false;  // something came since the request
};

}  // namespace

std::unique_ptr<Probe> makeHttpProbe(ProbeTarget target, Probe::OnResult on_result) {
  return std::make_unique<HttpProbe>(std::move(target), std::move(on_result));
}

}  // namespace sluice::upstream::health
