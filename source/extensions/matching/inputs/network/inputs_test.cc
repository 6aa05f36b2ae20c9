#include "source/extensions/matching/inputs/network/inputs.h"

#include <catch2/catch.hpp>

#include "source/stream/stream_info.h"

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

TEST_CASE("dynamic metadata is read as a whole, and as text where it is one") {
  Connection c;
  stream::StreamInfo info;
  Scratch scratch;
  CHECK(c.read(DynamicMetadata("jwt", {"sub"})) == "-");
  c.data.info = &info;
  CHECK(c.read(DynamicMetadata("jwt", {"sub"})) == "-");

  info.metadata().set("jwt", "sub", {std::string("alice")});
  info.metadata().set("jwt", "age", {7.0});
  info.metadata().set("jwt", "claims", {stream::MetadataFields{{"group", {std::string("admins")}}}});

  CHECK(c.read(DynamicMetadata("jwt", {"sub"})) == "alice");
  CHECK(c.read(DynamicMetadata("jwt", {"claims", "group"})) == "admins");
  CHECK(c.read(DynamicMetadata("jwt", {"claims"})) == "-");
  CHECK(c.read(DynamicMetadata("jwt", {"other"})) == "-");
  const Value age = DynamicMetadata("jwt", {"age"}).get(c.data, scratch);
  CHECK_FALSE(age.text);
  REQUIRE(age.structured);
  CHECK(match::numberOf<int64_t>(age) == 7);
}

TEST_CASE("an object of the filter state is read as the text that it shows") {
  struct Silent : stream::FilterState::Object {};
  Connection c;
  stream::StreamInfo info;
  CHECK(c.read(FilterState("k")) == "-");
  c.data.info = &info;
  CHECK(c.read(FilterState("k")) == "-");

  info.filterState().set("k", "v");
  info.filterState().set("empty", "");
  info.filterState().set("silent", std::make_unique<Silent>());

  CHECK(c.read(FilterState("k")) == "v");
  CHECK(c.read(FilterState("empty")) == "");
  CHECK(c.read(FilterState("silent")) == "-");
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::network
