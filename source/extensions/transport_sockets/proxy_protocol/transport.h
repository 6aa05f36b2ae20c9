// Sends the header of the PROXY protocol in front of everything, then is what the transport behind it is.
// (proto: envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport)
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/extensions/transport_sockets/proxy_protocol/header.h"
#include "source/net/prelude_transport.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {

class HeaderTransport : public net::PreludeTransport {
 public:
  // `inner`: null for a plain socket.
  HeaderTransport(std::string header, net::TransportPtr inner)
      : PreludeTransport(std::move(inner)), header_(std::move(header)) {}

 private:
  Status begin(const Io& io) override { return send(io, header_); }

  std::string header_;  // what of it is not sent yet
};

class HeaderTransportFactory : public net::WrappingFactory {
 public:
  // `inner`: null for plain sockets.
  // `tlvs`: encoded, at most kMaxTlvBytes of them. `passed_on`: of the client's own, without those in `tlvs`.
  HeaderTransportFactory(Version version, std::string tlvs, std::shared_ptr<const net::TransportFactory> inner,
                         net::TlvTypes passed_on = {})
      : WrappingFactory(std::move(inner)), version_(version), tlvs_(std::move(tlvs)), passed_on_(passed_on) {}

  net::TransportPtr make(const Options& options) const override {
    const std::string tlvs = tlvs_ + passedOn(options.tlvs);
    return std::make_unique<HeaderTransport>(makeHeader(version_, options.client, options.target, tlvs),
                                             makeInner(options));
  }
  bool tellsClient() const override { return true; }

 private:
  // As far as a header has room.
  std::string passedOn(const net::ProxyTlvs* tlvs) const;

  const Version version_;
  const std::string tlvs_;
  const net::TlvTypes passed_on_;
};

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
