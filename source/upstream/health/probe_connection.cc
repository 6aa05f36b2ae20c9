#include "source/upstream/health/probe_connection.h"

#include <optional>

namespace sluice::upstream::health {

absl::StatusOr<ProbeConnection::Ptr> ProbeConnection::open(const ProbeHost& host, const std::vector<std::string>& alpn,
                                                           ProbeConnectionUser& user) {
  const net::TransportFactory* const factory = host.transport;
  if (factory != nullptr && !factory->notReady().empty()) return absl::UnavailableError(factory->notReady());
  net::Descriptors& descriptors = host.buffers.descriptors;
  net::TransportFactory::Options options{
      .host = &host.address, .host_metadata = &host.metadata, .cluster_metadata = &host.config->metadata};
  const std::optional<net::Address> proxy = factory != nullptr ? factory->proxyOf(options) : std::nullopt;
  absl::StatusOr<net::Fd> fd = net::startConnect(proxy ? *proxy : host.address, host.config->connect);
  if (absl::IsResourceExhausted(fd.status())) descriptors.refused();
  if (!fd.ok()) return fd.status();
  if (!descriptors.admit(*fd)) return absl::ResourceExhaustedError("no file descriptors left for checks");
  net::TransportPtr transport;
  if (factory != nullptr) {
    const std::string key = "health check " + host.address.toString();
    options.session_key = key;
    options.alpn_first = host.own_alpn != nullptr;
    if (options.alpn_first) {
      options.alpn = host.own_alpn;
    } else if (!alpn.empty()) {
      options.alpn = &alpn;
    }
    transport = factory->make(options);
  }
  return Ptr(new ProbeConnection(host, *std::move(fd), std::move(transport), user));
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

CheckResult notBegun(const absl::Status& why) {
  if (absl::IsResourceExhausted(why)) return {.verdict = CheckResult::Verdict::kNotMade};
  return {.verdict = CheckResult::Verdict::kNetwork, .detail = "cannot connect"};
}

}  // namespace sluice::upstream::health
