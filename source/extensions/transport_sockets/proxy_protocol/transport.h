// Sends the header of the PROXY protocol in front of everything, then is what the transport behind it is.
// (proto: envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport)
#pragma once

#include <memory>
#include <string>

#include "source/extensions/transport_sockets/proxy_protocol/header.h"
#include "source/net/tells_client.h"
#include "source/net/transport.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {

class HeaderTransport : public net::Transport {
 public:
  // `inner`: null for a plain socket.
  HeaderTransport(std::string header, net::TransportPtr inner) : header_(std::move(header)), inner_(std::move(inner)) {}

  Status handshake(const Io& io) override;
  Result read(const Io& io, char* to, size_t size) override;
  Result write(const Io& io, const iovec* vectors, int count) override;
  void sendEnd(const Io& io) override;
  bool holdsInput() const override { return inner_ && inner_->holdsInput(); }
  bool secure() const override { return inner_ && inner_->secure(); }
  void idle() override;
  int socketError() const override { return error_ != 0 || !inner_ ? error_ : inner_->socketError(); }
  std::string_view failure() const override { return inner_ ? inner_->failure() : std::string_view(); }
  std::string_view applicationProtocol() const override {
    return inner_ ? inner_->applicationProtocol() : std::string_view();
  }
  std::string_view serverName() const override { return inner_ ? inner_->serverName() : std::string_view(); }
  const net::TlsInfo* tlsInfo() override { return inner_ ? inner_->tlsInfo() : nullptr; }

 private:
  std::string header_;  // what of it is not sent yet
  const net::TransportPtr inner_;
  int error_ = 0;
};

class HeaderTransportFactory : public net::TransportFactory, public net::TellsClient {
 public:
  // `inner`: null for plain sockets.
  HeaderTransportFactory(Version version, std::string tlvs, std::shared_ptr<const net::TransportFactory> inner)
      : version_(version), tlvs_(std::move(tlvs)), inner_(std::move(inner)) {}

  net::TransportPtr make(const Options& options) const override {
    return std::make_unique<HeaderTransport>(makeHeader(version_, options.client, options.target, tlvs_),
                                             inner_ ? inner_->make(options) : nullptr);
  }
  std::string notReady() const override { return inner_ ? inner_->notReady() : std::string(); }
  bool isTls() const override { return inner_ && inner_->isTls(); }

 private:
  const Version version_;
  const std::string tlvs_;
  const std::shared_ptr<const net::TransportFactory> inner_;
};

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
