#include "source/extensions/matching/inputs/network/inputs.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::matching::inputs::network {
namespace {

struct Connection {
  net::Address remote = *net::Address::fromIp("192.0.2.7", 4711);
  net::Address direct_remote = *net::Address::fromIp("2001:db8::1", 1);
  net::Address local = *net::Address::fromIp("192.0.2.1", 443);
  std::vector<std::string> protocols;
  Data data{.remote = &remote,
            .local = &local,
            .direct_remote = &direct_remote,
            .server_name = "db.example",
            .transport_protocol = "tls",
            .application_protocols = &protocols};

  // The value as text, "-" for none.
  std::string read(const match::Input& input) {
    Scratch scratch;
    const Value value = input.get(data, scratch);
    return std::string(value.text.value_or("-"));
  }
};

TEST_CASE("addresses are read without port, ports as decimal numbers") {
  Connection c;

  CHECK(c.read(SourceIp()) == "192.0.2.7");
  CHECK(c.read(SourcePort()) == "4711");
  CHECK(c.read(DestinationIp()) == "192.0.2.1");
  CHECK(c.read(DestinationPort()) == "443");
  CHECK(c.read(DirectSourceIp()) == "2001:db8::1");
}

TEST_CASE("what is no IP address has neither address nor port") {
  Connection c;
  c.remote = *net::Address::fromUnixPath("/run/a.sock");
  c.local = c.direct_remote = c.remote;

  CHECK(c.read(SourceIp()) == "-");
  CHECK(c.read(SourcePort()) == "-");
  CHECK(c.read(DestinationIp()) == "-");
  CHECK(c.read(DestinationPort()) == "-");
  CHECK(c.read(DirectSourceIp()) == "-");
}

TEST_CASE("a client on this host is local, by loopback, a Unix socket or the address that it reached") {
  Connection c;
  CHECK(c.read(SourceType()) == "-");

  c.remote = *net::Address::fromIp("127.0.0.9", 1);
  CHECK(c.read(SourceType()) == "local");
  c.remote = c.local.withPort(1);
  CHECK(c.read(SourceType()) == "local");
  c.remote = *net::Address::fromUnixPath("/run/a.sock");
  CHECK(c.read(SourceType()) == "local");
}

TEST_CASE("application protocols are a list of quoted names, and without one they are absent") {
  Connection c;
  CHECK(c.read(ApplicationProtocols()) == "-");

  c.protocols = {"h2", "http/1.1"};

  CHECK(c.read(ApplicationProtocols()) == "'h2','http/1.1'");
}

TEST_CASE("server name and transport protocol are read as they are, and absent when they are empty") {
  Connection c;
  CHECK(c.read(ServerName()) == "db.example");
  CHECK(c.read(TransportProtocol()) == "tls");

  c.data.server_name = c.data.transport_protocol = "";

  CHECK(c.read(ServerName()) == "-");
  CHECK(c.read(TransportProtocol()) == "-");
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::network
