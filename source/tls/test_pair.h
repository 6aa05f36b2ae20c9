// A client and a server, each a net::Connection with a TLS transport, over one socket pair on one polled loop.
#pragma once

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "source/event/polled_loop.h"
#include "source/net/connection.h"
#include "source/observability/stats.h"
#include "source/tls/factory.h"
#include "test/support/tls/certificates.h"

namespace sluice::tls {

class TestEnd : public net::ConnectionEvents {
 public:
  TestEnd(event::Loop& loop, net::WorkerBuffers& buffers, net::Fd fd, net::TransportPtr transport)
      : connection(loop, buffers, std::move(fd), net::Connection::Mode::kAccepted, *this, std::move(transport)) {}

  void onConnected() override { connected = true; }
  size_t readCredit() override { return credit; }
  void onBytes(std::string_view bytes) override {
    got += bytes;
    if (takes_credit) credit -= bytes.size();
    if (on_bytes) on_bytes(bytes);
  }
  void onPeerEnd() override { ended = true; }
  void onBroken(net::CloseReason why, int error_number) override {
    broken = true;
    reason = why;
    error = error_number;
  }
  void onDrained() override { ++drained; }
  std::string failure() const { return std::string(connection.transport()->failure()); }
  const net::TlsInfo& info() { return *connection.transport()->tlsInfo(); }

  size_t credit = 1 << 30;
  bool takes_credit = false;
  std::function<void(std::string_view)> on_bytes;
  std::string got;
  bool connected = false, ended = false, broken = false;
  net::CloseReason reason = net::CloseReason::kLocal;
  int error = 0;
  int drained = 0;
  net::Connection connection;
};

// The shared parts of a test: loop, stats, an authority, and contexts that agree with each other.
struct TestWorld {
  TestWorld() {
    buffers.cells = &stats.makeCells();
    const test::TestCertificate certificate = authority.issue({.dns_sans = {"a.example.com"}});
    server_config.common.certificates.push_back(certificateConfig(certificate));
    client_config.common.validation.emplace().trusted_ca_pem = authority.pem();
    client_config.sni = "a.example.com";
  }
  static CertificateConfig certificateConfig(const test::TestCertificate& certificate, std::string name = "test") {
    CertificateConfig out;
    out.chain_pem = certificate.chain_pem;
    out.key_pem = certificate.key_pem;
    out.name = std::move(name);
    return out;
  }
  std::shared_ptr<const ServerContext> server() {
    auto made = ServerContext::create(server_config, server_stats);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    return *made;
  }
  std::shared_ptr<const ClientContext> client() {
    auto made = ClientContext::create(client_config, client_stats);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    return *made;
  }
  int64_t serverCount(const char* name) { return stats.valueOf(std::string("listener.l.ssl.") + name).value_or(-1); }
  int64_t clientCount(const char* name) { return stats.valueOf(std::string("cluster.c.ssl.") + name).value_or(-1); }

  observability::StatsRegistry stats;
  observability::Scope server_scope = stats.scope("listener", "l");
  observability::Scope client_scope = stats.scope("cluster", "c");
  TlsStats server_stats{server_scope};
  TlsStats client_stats{client_scope};
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  test::TestAuthority authority;
  ServerConfig server_config;
  ClientConfig client_config;
  net::TransportFactory::Options options;
};

struct TestPair {
  TestPair(TestWorld& in, const std::shared_ptr<const ServerContext>& server_context,
           const std::shared_ptr<const ClientContext>& client_context)
      : world(in) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    server = std::make_unique<TestEnd>(world.loop, world.buffers, net::Fd(fds[0]),
                                       ServerContext::makeTransport(server_context));
    client = std::make_unique<TestEnd>(world.loop, world.buffers, net::Fd(fds[1]),
                                       ClientContext::makeTransport(client_context, world.options));
  }
  explicit TestPair(TestWorld& in) : TestPair(in, in.server(), in.client()) {}

  // Until both handshakes are over, one way or the other.
  void shake() {
    world.loop.until([this] { return (server->connected || server->broken) && (client->connected || client->broken); });
  }
  bool up() const { return server->connected && client->connected && !server->broken && !client->broken; }

  TestWorld& world;
  std::unique_ptr<TestEnd> server, client;
};

}  // namespace sluice::tls
