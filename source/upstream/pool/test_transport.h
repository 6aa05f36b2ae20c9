// Transports of plain bytes that write down what they are asked for, and choose a protocol as a TLS host would.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "source/net/address.h"
#include "source/net/transport.h"

namespace sluice::upstream::pool {

class PlainTransport : public net::Transport {
 public:
  // `handshake_failure`: why there is none; empty: there is one.
  PlainTransport(std::string protocol, std::string handshake_failure)
      : protocol_(std::move(protocol)), handshake_failure_(std::move(handshake_failure)) {}
  Status handshake(const Io&) override { return handshake_failure_.empty() ? Status::kDone : Status::kFailed; }
  std::string_view failure() const override { return handshake_failure_; }
  Result read(const Io& io, char* to, size_t size) override {
    const ssize_t n = recv(io.fd, to, size, MSG_DONTWAIT);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n)};
    if (n == 0) return {Status::kEnd};
    return {errno == EAGAIN ? Status::kWantRead : Status::kFailed};
  }
  Result write(const Io& io, const iovec* vectors, int count) override {
    size_t sent = 0;
    for (int i = 0; i < count; ++i) {
      const ssize_t n = send(io.fd, vectors[i].iov_base, vectors[i].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN) return {Status::kFailed, sent};
      sent += static_cast<size_t>(std::max<ssize_t>(n, 0));
      if (n != static_cast<ssize_t>(vectors[i].iov_len)) return {Status::kWantWrite, sent};
    }
    return {Status::kDone, sent};
  }
  void sendEnd(const Io&) override {}
  std::string_view applicationProtocol() const override { return protocol_; }

 private:
  const std::string protocol_, handshake_failure_;
};

// The host takes the first protocol that it is offered.
class PlainFactory : public net::TransportFactory {
 public:
  net::TransportPtr make(const Options& options) const override {
    server_names.emplace_back(options.server_name);
    verified.emplace_back(options.verify_san);
    clients.push_back(options.client && options.target ? options.client->toString() + ">" + options.target->toString()
                                                       : "nobody");
    const bool offers = options.alpn != nullptr && !options.alpn->empty();
    return std::make_unique<PlainTransport>(offers ? options.alpn->front() : "", handshake_failure);
  }

  std::string handshake_failure;
  mutable std::vector<std::string> server_names, verified, clients;
};

class ClientTellingFactory : public PlainFactory {
 public:
  bool tellsClient() const override { return true; }
};

}  // namespace sluice::upstream::pool
