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

// What is wrong with how a client believes servers.
std::string validation(const std::string& yaml) {
  TlsTest t;
  CHECK(t.client("{common_tls_context: {validation_context: " + yaml + "}}") == nullptr);
  return t.problems();
}

std::string spiffe(const std::string& domains, const std::string& more = "") {
  return validation(
      "{custom_validator_config: {name: s, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig, "
      "trust_domains: " +
      domains + "}}" + more + "}");
}

TEST_CASE("a SPIFFE validator that cannot do what it says is refused") {
  const std::string bundle = ", trust_bundle: {inline_string: x}}";
  CHECK_THAT(spiffe("[]"), Catch::Contains("custom_validator_config.typed_config.trust_domains"));
  CHECK_THAT(spiffe("[{name: a" + bundle + ", {name: a" + bundle + "]"),
             Catch::Contains("trust_domains[1].name: stands there twice"));
  for (const char* name : {"spiffe://a", "A", "'a b'", "a/b"}) {
    CHECK_THAT(spiffe(std::string("[{name: ") + name + bundle + "]"),
               Catch::Contains("trust_domains[0].name: is no name of a trust domain"));
  }
  CHECK_THAT(spiffe("[{name: '" + std::string(256, 'a') + "'" + bundle + "]"), Catch::Contains("is no name"));
  CHECK_THAT(spiffe("[{name: a}]"), Catch::Contains("trust_domains[0].trust_bundle"));
  CHECK_THAT(spiffe("[{name: a, trust_bundle: {inline_string: ''}}]"), Catch::Contains("is empty"));
  CHECK_THAT(spiffe("[{name: a" + bundle + "]"), Catch::Contains("trust_bundle '<inline>' of 'a': no PEM certificate"));
  CHECK_THAT(spiffe("[{name: a" + bundle + "]", ", trusted_ca: {inline_string: x}"),
             Catch::Contains("trusted_ca: has no place beside custom_validator_config"));
  CHECK_THAT(spiffe("[{name: a" + bundle + "]", ", crl: {inline_string: x}"), Catch::Contains("crl: has no place"));
  CHECK_THAT(validation("{custom_validator_config: {name: s, typed_config: {'@type': "
                        "type.googleapis.com/google.protobuf.Duration, value: 1s}}}"),
             Catch::Contains("SPIFFECertValidatorConfig is supported"));
  CHECK_THAT(validation("{custom_validator_config: {name: s}}"), Catch::Contains("typed_config"));
}

TEST_CASE("other names of certificates are told apart by the identifier of their type") {
  const auto problem = [](const std::string& matcher) {
    return validation("{trusted_ca: {inline_string: x}, match_typed_subject_alt_names: [" + matcher + "]}");
  };
  CHECK_THAT(problem("{san_type: OTHER_NAME, matcher: {exact: a}}"), Catch::Contains("[0].oid: is missing"));
  CHECK_THAT(problem("{san_type: DNS, matcher: {exact: a}, oid: 1.2.3}"), Catch::Contains("[0].oid: is of OTHER_NAME"));
  for (const char* oid : {"x", "'1'", "1..2", "1.2.", "3.1", "1.02", "-1.2"}) {
    CHECK_THAT(problem(std::string("{san_type: OTHER_NAME, matcher: {exact: a}, oid: ") + oid + "}"),
               Catch::Contains("oid"));
  }
}

TEST_CASE("a client shows no more than one certificate") {
  TlsTest t;

  CHECK(t.client("{common_tls_context: {tls_certificate_sds_secret_configs: [{name: a, sds_config: {ads: {}}}, "
                 "{name: b, sds_config: {ads: {}}}]}}") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains("a client shows one certificate at most"));
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::tls
