// A transport that says something in front of everything, and then is what stands behind it: a plain socket, TLS.
// (Envoy: passthrough transport sockets)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "source/net/transport.h"

namespace sluice::net {

class PreludeTransport : public Transport {
 public:
  // `inner`: null for a plain socket.
  explicit PreludeTransport(TransportPtr inner) : inner_(std::move(inner)) {}

  void attach(Connection& connection) override;
  Status handshake(const Io& io) final;
  Result read(const Io& io, char* to, size_t size) override;
  Result write(const Io& io, const iovec* vectors, int count) override;
  void sendEnd(const Io& io) override;
  bool holdsInput() const override { return inner_ && inner_->holdsInput(); }
  // What goes wrong in front of TLS has nothing to do with it.
  bool secure() const override { return begun_ && inner_ && inner_->secure(); }
  void idle() override;
  int socketError() const override { return error_ != 0 || !inner_ ? error_ : inner_->socketError(); }
  std::string_view failure() const override {
    return !failure_.empty() ? std::string_view(failure_) : inner_ ? inner_->failure() : std::string_view();
  }
  std::string_view applicationProtocol() const override {
    return inner_ ? inner_->applicationProtocol() : std::string_view();
  }
  std::string_view serverName() const override { return inner_ ? inner_->serverName() : std::string_view(); }
  const TlsInfo* tlsInfo() override { return inner_ ? inner_->tlsInfo() : nullptr; }

 protected:
  // The prelude, as handshake(): repeated until it is kDone.
  virtual Status begin(const Io& io) = 0;

  // Sends from the front of `bytes` what the socket takes. kDone: nothing of it is left.
  Status send(const Io& io, std::string& bytes);
  Status failed(int error);
  Status failed(std::string why);

 private:
  const TransportPtr inner_;
  bool begun_ = false;
  int error_ = 0;
  std::string failure_;
};

// Makes transports around those of another factory, and is for the rest what that one is.
class WrappingFactory : public TransportFactory {
 public:
  // `inner`: null for plain sockets.
  explicit WrappingFactory(std::shared_ptr<const TransportFactory> inner) : inner_(std::move(inner)) {}

  std::string notReady() const override { return inner_ ? inner_->notReady() : std::string(); }
  bool isTls() const override { return inner_ && inner_->isTls(); }
  bool tellsClient() const override { return inner_ && inner_->tellsClient(); }
  bool handsOver() const override { return inner_ && inner_->handsOver(); }
  std::shared_ptr<stream::ConnectionState> handedOver(const Options& options) const override {
    return inner_ ? inner_->handedOver(options) : nullptr;
  }
  std::optional<Address> proxyOf(const Options& options) const override {
    return inner_ ? inner_->proxyOf(options) : std::nullopt;
  }

 protected:
  TransportPtr makeInner(const Options& options) const { return inner_ ? inner_->make(options) : nullptr; }

 private:
  const std::shared_ptr<const TransportFactory> inner_;
};

}  // namespace sluice::net
