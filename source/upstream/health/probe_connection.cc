#include "source/upstream/health/probe_connection.h"

namespace sluice::upstream::health {

ProbeConnection::Ptr ProbeConnection::open(const ProbeTarget& target, const std::vector<std::string>& alpn,
                                           ProbeConnectionUser& user) {
  const net::TransportFactory* const factory = target.config->transport.get();
  if (factory != nullptr && !factory->notReady().empty()) return nullptr;
  absl::StatusOr<net::Fd> fd = net::startConnect(target.address);
  if (!fd.ok()) return nullptr;
  net::TransportPtr transport;
  if (factory != nullptr) {
    const std::string key = "health check " + target.address.toString();
    net::TransportFactory::Options options{.session_key = key};
    if (!alpn.empty()) options.alpn = &alpn;
    transport = factory->make(options);
  }
  return Ptr(new ProbeConnection(target, *std::move(fd), std::move(transport), user));
}

void ProbeConnection::onBroken(net::CloseReason reason, int) {
  switch (reason) {
    case net::CloseReason::kConnectFailed:
      return end("connection failed");
    case net::CloseReason::kHandshakeFailed:
      return end("TLS handshake failed");
    default:
      return end("the connection broke");
  }
}

void ProbeConnection::letGo() {
  user_ = nullptr;
  connection_.close();
  loop_.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::upstream::health
