// Asks an HTTP/1.1 proxy for a tunnel to the host (CONNECT, RFC 9110, 9.3.6), then is what goes through it.
// (proto: envoy.extensions.transport_sockets.http_11_proxy.v3.Http11ProxyUpstreamTransport)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "source/net/prelude_transport.h"

namespace sluice::extensions::transport_sockets::http_11_proxy {

class TunnelTransport : public net::PreludeTransport {
 public:
  // The largest head of an answer.
  static constexpr size_t kMaxAnswer = 8192;

  // `target`: "10.0.0.1:443". `inner`: null for a plain socket.
  TunnelTransport(const std::string& target, net::TransportPtr inner)
      : PreludeTransport(std::move(inner)),
        request_("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n") {}

 private:
  Status begin(const Io& io) override;
  // Takes from the socket what belongs to the head of an answer, and nothing behind it.
  Status takeAnswer(const Io& io);
  // kDone: the tunnel is there; kWantRead: that was an interim answer, another one follows.
  Status judge();

  std::string request_;  // what of it is not sent yet
  std::string answer_;   // what of it is there
};

// Compiled configuration; immutable, shared by all workers.
class TunnelFactory : public net::WrappingFactory {
 public:
  // `proxy`: of hosts that do not name one; nothing: they are connected to. `inner`: null for plain sockets.
  TunnelFactory(std::optional<net::Address> proxy, std::shared_ptr<const net::TransportFactory> inner)
      : WrappingFactory(std::move(inner)), proxy_(std::move(proxy)) {}

  net::TransportPtr make(const Options& options) const override;
  std::optional<net::Address> proxyOf(const Options& options) const override;

 private:
  const std::optional<net::Address> proxy_;
};

}  // namespace sluice::extensions::transport_sockets::http_11_proxy
