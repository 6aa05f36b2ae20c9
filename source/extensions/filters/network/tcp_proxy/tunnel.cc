#include "source/extensions/filters/network/tcp_proxy/tunnel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/http/rules.h"

namespace sluice::extensions::filters::network::tcp_proxy {

using upstream::HostStream;
namespace pool = upstream::pool;

namespace {

constexpr auto kPriority = upstream::cluster::RoutingPriority::kDefault;

}  // namespace

HostStream::Opening Tunnel::open(base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot,
                                 const TunnelSettings& settings, const stream::StreamInfo& info,
                                 upstream::HostStreamEvents& events) {
  auto* tunnel = new Tunnel(std::move(cluster), slot, info, events);
  Opening out{.stream = Ptr(tunnel)};
  out.why = tunnel->fillRequest(settings);
  if (out.why.empty()) {
    tunnel->opening_ = &out;
    tunnel->request(false);
    tunnel->opening_ = nullptr;
  } else {
    out.failure = Failure::kConnectFailed;
  }
  if (out.failure != Failure::kNone) out.stream.reset();
  return out;
}

Tunnel::Tunnel(base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot,
               const stream::StreamInfo& info, upstream::HostStreamEvents& events)
    : events_(events),
      info_(info),
      cluster_(std::move(cluster)),
      slot_(slot),
      host_(cluster_->hostPtr(slot)),
      answer_timer_(context().loop.timers(), [this] {
        context().cells.add(context().stats.rq_timeout);
        cluster_->hostStats(*host_).add(upstream::cluster::HostStat::kRqTimeout);
        events_.onHostFailed("the tunnel was not answered in time", true);
      }) {
  cluster_->requestStarted(slot);
  answer_timer_.arm(context().config->connect_timeout);
}

void Tunnel::letGo() {
  gone_ = true;
  answer_timer_.cancel();
  exchange_.abandon();
  cluster_->requestFinished(*host_);
  context().loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

std::string Tunnel::fillRequest(const TunnelSettings& settings) {
  const stream::FormatContext values{.info = info_};
  std::string hostname;
  settings.hostname->format(values, hostname);
  head_.authority = {http::copyPadded(arena_, hostname), hostname.size()};
  if (!http::validAuthority(head_.authority)) {
    return absl::StrCat("tunneling_config.hostname comes out as '", hostname, "', which is no host");
  }
  const net::TransportFactory* transport = cluster_->config().transport.get();
  head_.scheme = transport != nullptr && transport->isTls() ? "https" : "http";
  head_.method = settings.post_path.empty() ? "CONNECT" : "POST";
  head_.path = settings.post_path;
  settings.headers.apply(head_, values);
  return {};
}

void Tunnel::request(bool fresh) {
  const upstream::ClientAddresses client{.remote = info_.downstream_remote_address,
                                         .local = info_.downstream_local_address};
  cluster_->poolFor(slot_, kPriority, head_, client).request(exchange_, {.fresh = fresh});
}

void Tunnel::shutdownWrites() {
  if (std::exchange(request_ended_, true)) return;
  exchange_.sendData({}, true);
}

// --- pool::ExchangeEvents

void Tunnel::onReady() {
  exchange_.sendHeaders(head_, false);
}

void Tunnel::onFailure(pool::Failure failure, std::string_view text) {
  if (opening_ == nullptr) return events_.onHostFailed(text, failure == pool::Failure::kConnectTimeout);
  opening_->failure = failure == pool::Failure::kOverflow ? Failure::kOverflow : Failure::kConnectFailed;
  opening_->why = text;
}

http::ResponseHeaders& Tunnel::beginResponse() {
  response_.clear();
  return response_;
}

void Tunnel::onResponseHeaders(bool end_stream) {
  if (response_.status / 100 != 2) {
    return events_.onHostFailed(absl::StrCat("the tunnel was answered ", response_.status), false);
  }
  connected_ = true;
  answer_timer_.cancel();
  events_.onHostConnected();
  if (end_stream) responseEnded();
}

void Tunnel::onResponseData(std::string_view data, bool end_stream) {
  if (gone_) return;
  if (!data.empty()) events_.onHostData(data);
  if (end_stream) responseEnded();
}

void Tunnel::onResponseTrailers() {
  responseEnded();
}

void Tunnel::responseEnded() {
  if (gone_) return;
  // The response of a POST may be over before its request: the rest of that has nowhere to go.
  exchange_.open() || request_ended_ ? events_.onHostEnd() : events_.onHostBroken();
}

void Tunnel::onResponseReset(http::ResetReason reason, std::string_view detail) {
  if (connected_) return events_.onHostBroken();
  // CONNECT does nothing that cannot be done twice: no byte goes through the tunnel before it is answered.
  const bool connect = head_.method == "CONNECT";
  if (exchange_.mayRepeat(reason, connect) && !std::exchange(sent_again_, true)) return request(true);
  events_.onHostFailed(detail, false);
}

size_t Tunnel::responseCredit() {
  if (gone_) return 0;
  return connected_ ? events_.hostCredit() : net::WorkerBuffers::kReadSize;
}

void Tunnel::onRequestBytesSent() {
  if (connected_) events_.onHostDrained();
}

}  // namespace sluice::extensions::filters::network::tcp_proxy
