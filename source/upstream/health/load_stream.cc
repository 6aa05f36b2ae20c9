#include "source/upstream/health/load_stream.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "source/base/arena.h"
#include "source/base/failure_delay.h"
#include "source/http/grpc.h"
#include "source/http/h2/codec.h"

namespace sluice::upstream::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Between two streams of a host. (base::failureDelay)
constexpr milliseconds kFirstWait = seconds(1), kLastWait = seconds(30);
// A host may report less often than it is asked to (libraries of gRPC: not more often than every 30 s unless told
// otherwise). One that was silent for three times that is asked anew.
constexpr milliseconds kLongestPeriod = seconds(30);
constexpr uint32_t kMostMessage = 64 * 1024;

void appendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// OrcaLoadReportRequest{report_interval = 1: Duration{seconds = 1, nanos = 2}}, in a frame of gRPC.
std::string requestFor(milliseconds period) {
  std::string duration, message;
  duration += '\x08';
  appendVarint(duration, static_cast<uint64_t>(period.count() / 1000));
  duration += '\x10';
  appendVarint(duration, static_cast<uint64_t>(period.count() % 1000 * 1'000'000));
  message += '\x0a';
  appendVarint(message, duration.size());
  message += duration;
  return http::grpc::framed(message);
}

}  // namespace

struct LoadStream::Message {
  base::Arena arena;
  http::RequestHeaders request{arena};
  http::ResponseHeaders response{arena};
  http::Trailers trailers{arena};
};

LoadStream::LoadStream(LoadStreamWorld& world, cluster::HostPtr host)
    : world_(world),
      host_(std::move(host)),
      begin_(world.loop.timers(), [this] { connect(); }),
      deadline_(world.loop.timers(), [this] { end(End::kFailed); }) {
  const auto period = static_cast<uint64_t>(world_.weights.settings().stream_period.count());
  begin_.arm(milliseconds(world_.random.below(period)));
}

LoadStream::~LoadStream() {
  disconnect();
}

void LoadStream::connect() {
  static const std::vector<std::string> kHttp2{"h2"};
  const ProbeHost host{world_.loop,      world_.buffers,   world_.config, world_.config->transportOf(host_->metadata()),
                       host_->address(), host_->metadata()};
  absl::StatusOr<ProbeConnection::Ptr> opened = ProbeConnection::open(host, kHttp2, *this);
  if (!opened.ok()) return end(End::kFailed);
  connection_ = *std::move(opened);
  deadline_.arm(world_.config->connect_timeout);
}

void LoadStream::disconnect() {
  deadline_.cancel();
  codec_.reset();
  connection_.reset();
  received_.clear();
  over_.reset();
  if (std::exchange(active_, false)) world_.cells.sub(world_.stats.active_sessions);
}

void LoadStream::end(End how) {
  disconnect();
  world_.cells.add(how == End::kFailed ? world_.stats.stream_failures : world_.stats.stream_terminated);
  begin_.arm(base::failureDelay(++failures_, kFirstWait, kLastWait, world_.random));
}

void LoadStream::endIfOver() {
  if (over_) end(*over_);
}

void LoadStream::onProbeConnected() {
  const std::string_view agreed = connection_->applicationProtocol();
  if (!agreed.empty() && agreed != "h2") return end(End::kFailed);
  codec_ = http::h2::makeClientCodec(*this, *connection_, {}, {});
  send();
}

void LoadStream::send() {
  const milliseconds period = world_.weights.settings().stream_period;
  const net::TransportFactory* const transport = world_.config->transportOf(host_->metadata());
  message_ = std::make_unique<Message>();
  http::RequestHeaders& request = message_->request;
  request.method = "POST";
  request.path = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";
  request.authority = host_->hostname().empty() ? host_->addressText() : host_->hostname();
  request.scheme = transport != nullptr && transport->isTls() ? "https" : "http";
  request.add("content-type", http::grpc::kContentType);
  request.add("te", "trailers");
  const http::StreamId stream = codec_->sendHeaders(request, false);
  if (stream == 0) return end(End::kFailed);
  codec_->sendData(stream, requestFor(period), true);
  active_ = true;
  world_.cells.add(world_.stats.active_sessions);
  deadline_.arm(3 * std::max(period, kLongestPeriod));
}

void LoadStream::onProbeBytes(std::string_view bytes) {
  if (!codec_) return end(End::kFailed);
  codec_->tellTime(world_.loop.now());
  if (codec_->receive(bytes)) return end(End::kFailed);
  endIfOver();
}

http::ResponseHeaders& LoadStream::beginResponse(http::StreamId) {
  message_->response.clear();
  return message_->response;
}

http::Trailers& LoadStream::beginResponseTrailers(http::StreamId) {
  message_->trailers.clear();
  return message_->trailers;
}

void LoadStream::onResponseHeaders(http::StreamId, bool end_stream) {
  if (message_->response.status != 200 || end_stream) over_ = End::kTerminated;
}

void LoadStream::onResponseData(http::StreamId stream, std::string_view data, bool end_stream) {
  codec_->consumed(stream, data.size());
  if (over_) return;
  received_ += data;
  if (!takeMessages()) over_ = End::kFailed;
  if (end_stream) over_ = End::kTerminated;
}

bool LoadStream::takeMessages() {
  std::string_view rest = received_;
  while (rest.size() >= http::grpc::kFrameHead) {
    const uint32_t length = http::grpc::messageLength(rest);
    if (rest[0] != 0 || length > kMostMessage) return false;  // nobody said that it may be compressed
    if (rest.size() - http::grpc::kFrameHead < length) break;
    countReport(rest.substr(http::grpc::kFrameHead, length));
    rest.remove_prefix(http::grpc::kFrameHead + length);
  }
  received_.erase(0, received_.size() - rest.size());
  return true;
}

void LoadStream::countReport(std::string_view message) {
  failures_ = 0;
  deadline_.arm(3 * std::max(world_.weights.settings().stream_period, kLongestPeriod));
  lb::LoadReport report = world_.weights.newReport();
  if (!lb::readLoadReportBinary(message, report)) return world_.cells.add(world_.stats.report_errors);
  world_.cells.add(world_.stats.reports_received);
  const std::optional<double> weight = world_.weights.weightOf(report);
  if (!weight) return;
  host_->monitor().loadWeight().report(*weight, world_.loop.now(), world_.weights.settings().expiration);
}

}  // namespace sluice::upstream::health
