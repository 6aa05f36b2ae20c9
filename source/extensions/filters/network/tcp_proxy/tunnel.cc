#include "source/extensions/filters/network/tcp_proxy/tunnel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/http/rules.h"
#include "source/stream/internal_hops.h"

namespace sluice::extensions::network_filters::tcp_proxy {

using upstream::AttemptEnd;
using upstream::HostStream;
namespace pool = upstream::pool;

HostStream::Opening Tunnel::open(base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot,
                                 const TunnelSettings& settings, const stream::StreamInfo& info,
                                 upstream::HostStreamEvents& events) {
  auto* tunnel = new Tunnel(*cluster, info, events);
  tunnel->setCluster(std::move(cluster));
  tunnel->take(slot);
  Opening out{.stream = Ptr(tunnel)};
  out.why = tunnel->fillRequest(settings);
  if (out.why.empty()) {
    tunnel->opening_ = &out;
    tunnel->begin();
    tunnel->opening_ = nullptr;
  } else {
    out.failure = Failure::kConnectFailed;
  }
  if (out.failure != Failure::kNone) out.stream.reset();
  return out;
}

Tunnel::Tunnel(const upstream::WorkerCluster& cluster, const stream::StreamInfo& info,
               upstream::HostStreamEvents& events)
    : AttemptOf(arena_),
      events_(events),
      info_(info),
      answer_timer_(cluster.context().loop.timers(), [this] { expire(); }) {
  answer_timer_.arm(cluster.config().connect_timeout);
}

void Tunnel::letGo() {
  gone_ = true;
  answer_timer_.cancel();
  cancel();
  cluster()->context().loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

std::string Tunnel::fillRequest(const TunnelSettings& settings) {
  const stream::FormatContext values{.info = info_};
  std::string hostname;
  settings.hostname->format(values, hostname);
  head_.authority = {http::copyPadded(arena_, hostname), hostname.size()};
  if (!http::validAuthority(head_.authority)) {
    return absl::StrCat("tunneling_config.hostname comes out as '", hostname, "', which is no host");
  }
  head_.scheme = scheme();
  head_.method = settings.post_path.empty() ? "CONNECT" : "POST";
  head_.path = settings.post_path;
  settings.headers.apply(head_, values);
  if (!stream::tellInternalHops(host().address(), info_.internal_hops, head_)) {
    return absl::StrCat("internal listener '", std::string(host().address().listenerName()),
                        "' leads to itself: ", info_.internal_hops, " internal listeners were passed on the way to it");
  }
  return {};
}

void Tunnel::begin() {
  start(head_, {}, upstream::cluster::RoutingPriority::kDefault,
        {.remote = info_.downstream_remote_address,
         .local = info_.downstream_local_address,
         .tlvs = info_.client_tlvs.get(),
         .source = info_.upstream_source.get(),
         .state = info_.filter_state.get()});
}

void Tunnel::shutdownWrites() {
  if (std::exchange(request_ended_, true)) return;
  sendData({}, true);
}

// CONNECT does nothing that cannot be done twice, and no byte goes through the tunnel before it is answered.
std::optional<upstream::RetryState::Repeat> Tunnel::retry(const AttemptEnd& failure) {
  return retries_.after(failure, {.idempotent = head_.method == "CONNECT", .at_hand = true});
}

void Tunnel::onFailed(const AttemptEnd& failure) {
  if (connected_) return events_.onHostBroken();
  const bool no_connection = failure.kind == AttemptEnd::Kind::kNoConnection;
  if (no_connection && opening_ != nullptr) {
    const bool overflow = failure.connection == pool::Failure::kOverflow;
    opening_->failure = overflow ? Failure::kOverflow : Failure::kConnectFailed;
    opening_->why = failure.text;
    return;
  }
  if (failure.kind == AttemptEnd::Kind::kTimeout) {
    return events_.onHostFailed("the tunnel was not answered in time", true);
  }
  events_.onHostFailed(failure.text, no_connection && failure.connection == pool::Failure::kConnectTimeout);
}

void Tunnel::onHead(bool end_stream) {
  if (status() / 100 != 2) return events_.onHostFailed(absl::StrCat("the tunnel was answered ", status()), false);
  connected_ = true;
  answer_timer_.cancel();
  events_.onHostConnected();
  if (end_stream) responseEnded();
}

void Tunnel::onData(std::string_view data, bool end_stream) {
  if (gone_) return;
  if (!data.empty()) events_.onHostData(data);
  if (end_stream) responseEnded();
}

void Tunnel::responseEnded() {
  if (gone_) return;
  // The response of a POST may be over before its request: the rest of that has nowhere to go.
  running() || request_ended_ ? events_.onHostEnd() : events_.onHostBroken();
}

size_t Tunnel::responseCredit() {
  if (gone_) return 0;
  return connected_ ? events_.hostCredit() : net::WorkerBuffers::kReadSize;
}

void Tunnel::onRequestBytesSent() {
  if (connected_) events_.onHostDrained();
}

}  // namespace sluice::extensions::network_filters::tcp_proxy
