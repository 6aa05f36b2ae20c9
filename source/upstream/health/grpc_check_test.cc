#include "source/http/h2/test_peer.h"
#include "source/upstream/health/test_checks.h"
#include "source/upstream/pool/test_h2_host.h"
#include "source/upstream/pool/test_transport.h"

namespace sluice::upstream::health {
namespace {

using http::h2::data;
using http::h2::Fields;

struct GrpcTest : ChecksTest {
  GrpcTest()
      : ChecksTest(1, [](auto& check) {
          check.kind = HealthCheckConfig::Kind::kGrpc;
          check.unhealthy_threshold = 3;
          check.http.http2 = true;
          check.http.method = "POST";
          check.http.path = "/grpc.health.v1.Health/Check";
          check.http.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
          check.http.body = std::string("\0\0\0\0\5\x0a\3web", 10);
        }) {
    hosts[0]->hostname = "pod-1";  // whom traffic is for, not checks
    start();
    host.settings(100);
  }
  void answer(uint32_t stream, std::string_view message, const std::string& status = "0") {
    const Fields head{{":status", "200"}, {"content-type", "application/grpc"}};
    std::string frame(4, '\0');
    frame += static_cast<char>(message.size());
    frame += message;
    host.send(host.head(stream, head) + data(stream, frame, false) +
              host.head(stream, {{"grpc-status", status}}, true));
  }
  pool::H2Host host{loop, hosts[0]->upstream};
};

TEST_CASE("a service that says that it is SERVING is healthy, and the next check is another stream") {
  GrpcTest t;
  const std::string request = t.host.seen();
  CHECK(request.find(":path=/grpc.health.v1.Health/Check") != std::string::npos);
  CHECK(request.find(":authority=c") != std::string::npos);
  t.answer(1, "\x08\x01");
  CHECK(t.healthy());
  t.pass(5s);
  t.answer(3, "\x08\x01");
  CHECK(t.stat("success") == 2);
  CHECK(t.connections() == 1);
}

TEST_CASE("one that says anything else is not, at once") {
  GrpcTest t;
  t.answer(1, "\x08\x01");
  t.pass(5s);
  SECTION("NOT_SERVING") {
    t.answer(3, "\x08\x02");
  }
  SECTION("UNKNOWN, which is not written") {
    t.answer(3, "");
  }
  SECTION("an error") {
    t.answer(3, "\x08\x01", "5");
  }
  SECTION("an error in the head") {
    t.host.send(t.host.head(3, {{":status", "200"}, {"grpc-status", "12"}}, true));
  }
  SECTION("no gRPC") {
    t.host.send(t.host.head(3, {{":status", "404"}}, true));
  }
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.stat("network_failure") == 0);
}

TEST_CASE("a reset is a failure of the network, and counts up to the threshold") {
  GrpcTest t;
  t.answer(1, "\x08\x01");
  t.pass(5s);
  t.host.send(http::h2::rst(3, 2));
  CHECK(t.healthy());
  CHECK(t.stat("network_failure") == 1);
  t.pass(5s);
  t.answer(5, "\x08\x01");
  CHECK(t.healthy());
}

TEST_CASE("after GOAWAY the next check has a new connection") {
  GrpcTest t;
  t.answer(1, "\x08\x01");
  t.host.send(http::h2::goaway(1, 0));
  t.pass(5s);
  CHECK(t.connections() == 2);
}

// A host that agrees to this, whatever a check offers: alpn_protocols of the cluster stand in for that.
struct Agreeing : pool::PlainFactory {
  explicit Agreeing(std::string protocol) : protocol(std::move(protocol)) {}
  net::TransportPtr make(const Options&) const override { return std::make_unique<pool::PlainTransport>(protocol, ""); }
  const std::string protocol;
};

TEST_CASE("a check may go by another transport than the host's, and offer protocols of its own") {
  ChecksTest t;
  const auto hosts = std::make_shared<pool::PlainFactory>();
  const auto of_checks = std::make_shared<pool::PlainFactory>();
  t.transport = hosts;
  cluster::TransportMatch& match = t.transport_matches.list.emplace_back();
  match.wanted.emplace_back("check", stream::MetadataValue{true});
  match.transport = of_checks;
  t.check.transport_metadata = {
      {{std::string(cluster::kTransportMetadata), {stream::MetadataFields{{"check", {true}}}}}}, "check"};
  t.check.alpn = {"h2"};

  t.start();

  CHECK(of_checks->server_names.size() == 1);
  CHECK(hosts->server_names.empty());
  pool::H2Host host{t.loop, t.hosts[0]->upstream};
  host.settings(100);
  CHECK(host.seen().find(":path=/up") != std::string::npos);
}

TEST_CASE("a check by HTTP speaks what was agreed with the host") {
  ChecksTest t;
  SECTION("HTTP/2 where HTTP/1 is the check's") {
    t.transport = std::make_shared<Agreeing>("h2");
    t.start();
    pool::H2Host host{t.loop, t.hosts[0]->upstream};
    host.settings(100);
    CHECK(host.seen().find(":path=/up") != std::string::npos);
    host.send(host.ok(1));
    CHECK(t.healthy());
  }
  SECTION("HTTP/1 where HTTP/2 is the check's") {
    t.check.http.http2 = true;
    t.transport = std::make_shared<Agreeing>("http/1.1");
    t.start();
    CHECK(t.answer("200 OK").starts_with("GET /up HTTP/1.1\r\n"));
    CHECK(t.healthy());
  }
}

}  // namespace
}  // namespace sluice::upstream::health
