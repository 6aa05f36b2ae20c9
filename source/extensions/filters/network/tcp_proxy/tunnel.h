// A tunnel through an HTTP proxy: a CONNECT (or POST) to a host of the cluster, whose bodies carry the bytes.
// (proto: envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig)
//
// The request takes a connection of the host's pool: the whole of an HTTP/1 one, a stream of an HTTP/2 one. Bytes go
// once the host has answered 2xx, for which it has the cluster's connect_timeout. A CONNECT has an end on either side;
// a POST over HTTP/1 is over with its response. Thread: the worker's.
#pragma once

#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/base/local_ptr.h"
#include "source/extensions/filters/network/tcp_proxy/settings.h"
#include "source/stream/stream_info.h"
#include "source/upstream/attempt.h"
#include "source/upstream/host_stream.h"

namespace sluice::extensions::network_filters::tcp_proxy {

class Tunnel final : public upstream::HostStream, public upstream::AttemptOf<Tunnel> {
 public:
  // `info`: of the downstream connection. `settings`, `info` and `events` outlive the tunnel.
  static Opening open(base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot,
                      const TunnelSettings& settings, const stream::StreamInfo& info,
                      upstream::HostStreamEvents& events);

  void write(std::string_view bytes) override { sendData(bytes, false); }
  void breakOff() override {}  // a request that is given up is reset
  void shutdownWrites() override;
  size_t pendingBytes() const override { return exchange().unsentBytes(); }
  void resumeReading() override { Attempt::resumeReading(); }
  std::string localAddress() const override { return std::string(exchange().localAddress()); }

 private:
  friend class upstream::AttemptOf<Tunnel>;

  Tunnel(const upstream::WorkerCluster& cluster, const stream::StreamInfo& info, upstream::HostStreamEvents& events);

  // What is wrong with the request; empty: nothing.
  std::string fillRequest(const TunnelSettings& settings);
  void begin();
  void responseEnded();
  void letGo() override;

  void onReady() override { sendHead(false); }
  http::Trailers& beginTrailers() { return trailers_; }
  size_t responseCredit() override;
  void onRequestBytesSent() override;
  std::optional<upstream::RetryState::Repeat> retry(const upstream::AttemptEnd& failure);
  void onFailed(const upstream::AttemptEnd& failure);
  void onInterimHead() {}
  void onHead(bool end_stream);
  void onData(std::string_view data, bool end_stream);
  void onTrailers() { responseEnded(); }

  upstream::HostStreamEvents& events_;
  const stream::StreamInfo& info_;
  base::Arena arena_;
  http::RequestHeaders head_{arena_};
  http::Trailers trailers_{arena_};
  upstream::RetryState retries_;
  event::Timer answer_timer_;
  Opening* opening_ = nullptr;  // open() runs: failures are its result
  bool connected_ = false;
  bool request_ended_ = false;
  bool gone_ = false;
};

}  // namespace sluice::extensions::network_filters::tcp_proxy
