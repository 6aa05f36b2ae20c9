#include "source/extensions/transport_sockets/tls/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/test_world.h"
#include "source/config/transport_socket_factory.h"

namespace sluice::extensions::transport_sockets::tls {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;

struct TlsTest : config::testing::TestWorld {
  TlsTest() { registerFactory(registry); }
  // What is wrong with a server's side, one a line.
  std::string server(const std::string& yaml) {
    v3::DownstreamTlsContext proto;
    if (load(yaml, proto)) factory(proto).compileDownstream(proto, context("l"));
    return problems();
  }
  std::shared_ptr<const net::TransportFactory> client(const std::string& yaml) {
    v3::UpstreamTlsContext proto;
    return load(yaml, proto) ? factory(proto).compileUpstream(proto, context("c")) : nullptr;
  }
  const config::TransportSocketConfigFactory& factory(const google::protobuf::Message& proto) {
    return *registry.transport_sockets.find(proto.GetDescriptor()->full_name());
  }
};

TEST_CASE("a server without a certificate is refused") {
  CHECK_THAT(TlsTest().server("{}"), Catch::Contains("common_tls_context: a server needs a certificate"));
}

TEST_CASE("a server that asks for certificates has to say whose it believes") {
  CHECK_THAT(
      TlsTest().server("{require_client_certificate: true}"),
      Catch::Contains("require_client_certificate: without a validation_context anybody's certificate would do"));
}

TEST_CASE("a client that believes any server compiles with a warning") {
  TlsTest t;

  CHECK(t.client("{sni: a.example}") != nullptr);

  CHECK(t.problems() == "");
  REQUIRE(t.errors.warnings().size() == 1);
  CHECK_THAT(t.errors.warnings()[0].toString(), Catch::Contains("any server is believed"));
}

TEST_CASE("a client that may be asked to renegotiate is refused") {
  TlsTest t;

  CHECK(t.client("{allow_renegotiation: true}") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains("allow_renegotiation: is an attack surface"));
}

TEST_CASE("a client shows no more than one certificate") {
  TlsTest t;

  CHECK(t.client("{common_tls_context: {tls_certificate_sds_secret_configs: [{name: a, sds_config: {ads: {}}}, "
                 "{name: b, sds_config: {ads: {}}}]}}") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains("a client shows one certificate at most"));
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::tls
