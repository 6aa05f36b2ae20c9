#include "source/router/connect.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "source/route/rewrite.h"
#include "source/router/drop_overload.h"
#include "source/router/host_choice.h"
#include "source/router/router.h"
#include "source/stream/format_context.h"
#include "source/upstream/failure_text.h"
#include "source/upstream/pool/overflow.h"
#include "source/upstream/pool/request_place.h"
#include "source/upstream/tcp_connection.h"

namespace sluice::router {
namespace {

using stream::ResponseFlag;
using upstream::FailureText;
using upstream::HostStream;
using upstream::cluster::RoutingPriority;

std::optional<net::Address> addressIn(std::string_view text) {
  absl::StatusOr<net::Address> address = net::Address::parse(text);
  return address.ok() ? std::optional(*address) : std::nullopt;
}

class ConnectEnd final : public filter::Terminal, private upstream::HostStreamEvents {
 public:
  ConnectEnd(worker::WorkerServices& services, filter::ChainRunner& runner, filter::Stream& stream,
             bool refuses_early_data)
      : services_(services),
        runner_(runner),
        stream_(stream),
        tunnel_(stream.request().method == "CONNECT"),
        refuses_early_data_(refuses_early_data && tunnel_) {}
  ~ConnectEnd() override { letGo(); }

  // --- Terminal ---
  void requestHeaders(bool end_stream) override;
  void requestData(std::string_view data, bool end_stream) override;
  void requestTrailers() override { requestData({}, true); }
  size_t unsentRequestBytes() const override {
    return connected_ && connection_ ? connection_->pendingBytes() : waiting_.size();
  }
  void responseCreditGrew() override {
    if (connection_) connection_->resumeReading();
  }
  void deadlineExpired() override {}  // none is armed
  void cancel() override {
    if (connection_ && !request_ended_) connection_->breakOff();
    letGo();
  }

  // --- upstream::HostStreamEvents ---
  void onHostConnected() override;
  void onHostFailed(std::string_view why, bool timed_out) override;
  size_t hostCredit() override { return connected_ ? runner_.responseCredit() : 0; }
  void onHostData(std::string_view bytes) override { runner_.responseData(bytes, false); }
  void onHostEnd() override;
  void onHostBroken() override;
  void onHostDrained() override {
    runner_.requestProgress();
    overIfEnded();
  }

 private:
  // Of the connection, and its place in the breaker of requests.
  void letGo();
  void fail(const FailureText& failure) {
    letGo();
    answerLocally(runner_, stream_,
                  filter::Reply{failure.status, std::string(failure.body), failure.details, {}, failure.flag});
  }
  void overIfEnded();

  worker::WorkerServices& services_;
  filter::ChainRunner& runner_;
  filter::Stream& stream_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  RoutingPriority priority_ = RoutingPriority::kDefault;
  bool holds_request_ = false;
  upstream::cluster::HostPtr host_;
  HostStream::Ptr connection_;
  std::string waiting_;  // until the host is connected; bounded by the chain's window
  const bool tunnel_;    // else a POST, whose response ends it
  const bool refuses_early_data_;
  bool connected_ = false;
  bool request_ended_ = false;
  bool host_ended_ = false;
};

void ConnectEnd::letGo() {
  connection_.reset();
  if (!std::exchange(holds_request_, false)) return;
  upstream::pool::endRequest(cluster_->context(), cluster_->hostStats(*host_), priority_);
}

void ConnectEnd::requestHeaders(bool end_stream) {
  request_ended_ = end_stream;
  const route::Match& match = stream_.route();
  const route::Forward& action = *match.route->forward;
  cluster_ = findCluster(services_.part<upstream::ClusterSet>(), stream_);
  if (!cluster_) {
    return answerLocally(
        runner_, stream_,
        filter::Reply{action.cluster_not_found_status, "", "cluster_not_found", {}, ResponseFlag::kNoClusterFound});
  }
  stream::StreamInfo& info = stream_.info();
  base::Arena& arena = stream_.arena();
  const upstream::pool::PoolContext& context = cluster_->context();
  info.upstream_cluster = arena.copy(context.config->name);
  if (auto dropped = dropReply(*cluster_, stream_, true)) return answerLocally(runner_, stream_, *std::move(dropped));
  info.attempt_count = 1;
  runner_.limitWindow(context.config->per_connection_buffer_limit);
  priority_ = action.high_priority ? RoutingPriority::kHigh : RoutingPriority::kDefault;
  const upstream::cluster::HostSlot slot = pickHost(*cluster_, stream_.request(), &stream_);
  if (slot == upstream::cluster::kNoHost) {
    services_.cells.add(context.stats.cx_none_healthy);
    return fail(upstream::kNoHostText);
  }
  host_ = cluster_->hostPtr(slot);
  if (!upstream::pool::beginRequest(context, cluster_->hostStats(*host_), priority_)) {
    info.upstream_transport_failure_reason =
        arena.copy(upstream::pool::overflowText(context, upstream::cluster::Resource::kRequests, priority_));
    return fail(upstream::kOverflowText);
  }
  holds_request_ = true;
  describeHost(stream_, *context.config, *host_);
  // What PROXY protocol tells the host, and what else the connection has of this one.
  const auto told = [&info](std::string_view address) { return info.hides_client ? std::nullopt : addressIn(address); };
  const std::optional<net::Address> client = told(info.downstream_remote_address);
  const std::optional<net::Address> target = told(info.downstream_local_address);
  const std::shared_ptr<const stream::FilterState> shared = info.filter_state ? info.filter_state->shared() : nullptr;
  const net::TransportFactory::Options options{.client = client ? &*client : nullptr,
                                               .target = target ? &*target : nullptr,
                                               .internal_hops = info.internal_hops,
                                               .tlvs = info.hides_client ? nullptr : info.client_tlvs.get(),
                                               .source = info.upstream_source.get(),
                                               .shared = shared.get()};
  HostStream::Opening opening = upstream::TcpConnection::open(cluster_, slot, priority_, options, *this);
  connection_ = std::move(opening.stream);
  if (opening.failure == HostStream::Failure::kNone) return;
  info.upstream_transport_failure_reason = arena.copy(opening.why);
  fail(opening.failure == HostStream::Failure::kOverflow ? upstream::kOverflowText : upstream::kConnectFailureText);
}

void ConnectEnd::requestData(std::string_view data, bool end_stream) {
  request_ended_ |= end_stream;
  if (!connected_) {
    if (refuses_early_data_ && connection_ && !data.empty()) {
      letGo();
      return answerLocally(runner_, stream_, earlyConnectData());
    }
    waiting_.append(data);
    return;
  }
  if (!connection_) return;
  connection_->write(data);
  if (!end_stream) return;
  connection_->shutdownWrites();
  overIfEnded();
}

void ConnectEnd::onHostConnected() {
  connected_ = true;
  stream::StreamInfo& info = stream_.info();
  info.upstream_local_address = stream_.arena().copy(connection_->localAddress());
  info.upstream_request_start = info.response_start = info.since(services_.loop.now());
  info.response_code_details = "via_upstream";
  http::ResponseHeaders& headers = stream_.response();
  headers.clear();
  headers.status = 200;
  route::finalizeResponse(stream_.route(), headers,
                          stream::FormatContext{.request = &stream_.request(), .response = &headers, .info = info});
  if (tunnel_) runner_.beginTunnel();
  runner_.responseHeaders(false);
  if (!connection_) return;  // a filter had another answer
  const std::string waiting = std::exchange(waiting_, {});
  connection_->write(waiting);
  if (request_ended_) connection_->shutdownWrites();
  connection_->resumeReading();
  runner_.requestProgress();
}

void ConnectEnd::onHostFailed(std::string_view why, bool timed_out) {
  stream_.info().upstream_transport_failure_reason = stream_.arena().copy(why);
  fail(timed_out ? upstream::kConnectTimeoutText : upstream::kConnectFailureText);
}

void ConnectEnd::onHostEnd() {
  host_ended_ = true;
  stream_.info().upstream_response_end = stream_.info().since(services_.loop.now());
  if (!tunnel_) letGo();
  runner_.responseData({}, true);
  overIfEnded();
}

// The stream lasts until the host has been given all.
void ConnectEnd::overIfEnded() {
  if (!connection_ || !host_ended_ || !request_ended_ || connection_->pendingBytes() > 0) return;
  letGo();
  runner_.endTunnel();
}

void ConnectEnd::onHostBroken() {
  letGo();
  if (host_ended_) return runner_.endTunnel();
  stream_.info().response_flags.set(ResponseFlag::kUpstreamConnectionTermination);
  runner_.resetResponse("upstream_reset_after_response_started{connection_termination}");
}

}  // namespace

bool endsTunnel(const filter::Stream& stream) {
  const route::Route* route = stream.route().route;
  if (route == nullptr || route->forward == nullptr || route->forward->upgrades == nullptr) return false;
  const auto& upgrades = *route->forward->upgrades;
  const auto found = std::find_if(upgrades.begin(), upgrades.end(), [](const auto& each) { return each.ends_here; });
  if (found == upgrades.end() || !found->enabled) return false;
  const http::RequestHeaders& request = stream.request();
  if (!request.upgrade.empty()) return false;
  return request.method == "CONNECT" || (found->allow_post && request.method == "POST");
}

filter::Terminal* makeConnectEnd(worker::WorkerServices& services, filter::ChainRunner& runner, filter::Stream& stream,
                                 bool refuses_early_data) {
  return filter::makeIn<ConnectEnd>(stream.arena(), services, runner, stream, refuses_early_data);
}

filter::Reply earlyConnectData() {
  return {400, "data before the tunnel was accepted", "early_connect_data"};
}

}  // namespace sluice::router
