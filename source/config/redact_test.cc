#include "source/config/redact.h"

#include <catch2/catch.hpp>

#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/admin/v3/config_dump_shared.pb.h"
#include "envoy/config/core/v3/grpc_service.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::GrpcService;

TEST_CASE("credentials in headers are taken out, inside Any too, and the rest stays") {
  GrpcService service;
  service.mutable_envoy_grpc()->set_cluster_name("authorization");
  for (const char* key : {"Authorization", "cookie", "x-api-key", "x-auth-token", "x-plain"}) {
    auto& header = *service.add_initial_metadata();
    header.set_key(key);
    header.set_value("value-of-" + std::string(key));
  }
  service.mutable_initial_metadata(0)->set_raw_value("raw");
  envoy::admin::v3::ClustersConfigDump dump;
  dump.add_static_clusters()->mutable_cluster()->PackFrom(service);

  redact(dump);

  GrpcService shown;
  REQUIRE(dump.static_clusters(0).cluster().UnpackTo(&shown));
  CHECK(shown.envoy_grpc().cluster_name() == "authorization");
  CHECK(shown.initial_metadata(0).raw_value() == "[redacted]");
  for (int i = 0; i < 4; ++i) CHECK(shown.initial_metadata(i).value() == "[redacted]");
  CHECK(shown.initial_metadata(4).value() == "value-of-x-plain");
}

TEST_CASE("what cannot be looked into is not shown") {
  google::protobuf::Any unknown;
  unknown.set_type_url("type.googleapis.com/not.Known");
  unknown.set_value("secret");
  google::protobuf::Any broken;
  broken.set_type_url("type.googleapis.com/envoy.config.core.v3.GrpcService");
  broken.set_value("\xff");

  redact(unknown);
  redact(broken);

  CHECK(unknown.value().empty());
  CHECK(broken.value().empty());
}

TEST_CASE("a message that is written as a Struct is told by the names of its fields") {
  const auto text = [](const char* value) {
    google::protobuf::Value out;
    out.set_string_value(value);
    return out;
  };
  xds::type::v3::TypedStruct written;
  written.set_type_url("type.googleapis.com/x.Y");
  auto& fields = *written.mutable_value()->mutable_fields();
  auto& inner = *fields["credentials"].mutable_struct_value()->mutable_fields();
  inner["hmacSecret"] = text("s1");
  fields["privateKey"] = text("s2");
  auto& header = *fields["headers"].mutable_list_value()->add_values()->mutable_struct_value()->mutable_fields();
  header["key"] = text("Authorization");
  header["rawValue"] = text("s3");
  fields["stat_prefix"] = text("shown");
  google::protobuf::Any any;
  any.PackFrom(written);

  redact(any);

  REQUIRE(any.UnpackTo(&written));
  const auto& read = written.value().fields();
  CHECK(read.at("credentials").struct_value().fields().at("hmacSecret").string_value() == "[redacted]");
  CHECK(read.at("privateKey").string_value() == "[redacted]");
  const auto& shown = read.at("headers").list_value().values(0).struct_value().fields();
  CHECK(shown.at("key").string_value() == "Authorization");
  CHECK(shown.at("rawValue").string_value() == "[redacted]");
  CHECK(read.at("stat_prefix").string_value() == "shown");
}

TEST_CASE("a type of another prefix can be printed as JSON") {
  google::protobuf::Any any;
  any.PackFrom(GrpcService(), "example.com");

  redact(any);

  CHECK(any.type_url() == "type.googleapis.com/envoy.config.core.v3.GrpcService");
}

// Messages with secrets are made on the fly: no declared one has any yet.
TEST_CASE("private fields lose their text, names and places of secrets stay") {
  google::protobuf::FileDescriptorProto file;
  file.set_name("redact_test.proto");
  file.set_syntax("proto3");
  auto& source = *file.add_message_type();
  source.set_name("Source");
  auto& certificate = *file.add_message_type();
  certificate.set_name("Certificate");
  using Field = google::protobuf::FieldDescriptorProto;
  const auto add = [](auto& message, const char* name, int number, bool repeated, const char* type) {
    auto& field = *message.add_field();
    field.set_name(name);
    field.set_number(number);
    field.set_label(repeated ? Field::LABEL_REPEATED : Field::LABEL_OPTIONAL);
    field.set_type(type == nullptr ? Field::TYPE_STRING : Field::TYPE_MESSAGE);
    if (type != nullptr) field.set_type_name(type);
  };
  add(source, "filename", 1, false, nullptr);
  add(source, "inline_string", 2, false, nullptr);
  add(certificate, "private_key", 1, false, ".Source");
  add(certificate, "certificate_chain", 2, false, ".Source");
  add(certificate, "password", 3, false, nullptr);
  add(certificate, "secrets", 4, true, nullptr);
  add(certificate, "sds_secret_config", 5, false, nullptr);
  google::protobuf::DescriptorPool pool;
  REQUIRE(pool.BuildFile(file) != nullptr);
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> message(
      factory.GetPrototype(pool.FindMessageTypeByName("Certificate"))->New());
  REQUIRE(message->ParseFromString(std::string("\x0a\x08\x0a\x03key\x12\x01k", 10) +
                                   std::string("\x12\x03\x12\x01"
                                               "c",
                                               5) +
                                   std::string("\x1a\x02pw", 4) +
                                   std::string("\x22\x01"
                                               "a\x22\x01"
                                               "b\x2a\x04name",
                                               12)));

  redact(*message);

  CHECK(message->ShortDebugString() ==
        "private_key { filename: \"key\" inline_string: \"[redacted]\" } certificate_chain { inline_string: \"c\" } "
        "password: \"[redacted]\" secrets: \"[redacted]\" secrets: \"[redacted]\" sds_secret_config: \"name\"");
}

TEST_CASE("a dump of secrets keeps names and certificates and loses keys") {
  envoy::extensions::transport_sockets::tls::v3::Secret secret;
  secret.set_name("cert");
  secret.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_string("CHAIN");
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_string("KEY");
  secret.mutable_tls_certificate()->mutable_password()->set_inline_string("PASSWORD");
  envoy::extensions::transport_sockets::tls::v3::Secret tickets;
  tickets.set_name("tickets");
  tickets.mutable_session_ticket_keys()->add_keys()->set_inline_string("TICKET");
  envoy::admin::v3::SecretsConfigDump dump;
  auto& active = *dump.add_dynamic_active_secrets();
  active.set_name("cert");
  active.set_version_info("7");
  active.mutable_secret()->PackFrom(secret);
  dump.add_static_secrets()->mutable_secret()->PackFrom(tickets);
  envoy::extensions::transport_sockets::tls::v3::Secret generic;
  generic.set_name("token");
  generic.mutable_generic_secret()->mutable_secret()->set_inline_string("SESAME");
  dump.add_static_secrets()->mutable_secret()->PackFrom(generic);

  redact(dump);

  CHECK(dump.dynamic_active_secrets(0).name() == "cert");
  CHECK(dump.dynamic_active_secrets(0).version_info() == "7");
  REQUIRE(dump.dynamic_active_secrets(0).secret().UnpackTo(&secret));
  CHECK(secret.name() == "cert");
  CHECK(secret.tls_certificate().certificate_chain().inline_string() == "CHAIN");
  CHECK(secret.tls_certificate().private_key().inline_string() == "[redacted]");
  CHECK(secret.tls_certificate().password().inline_string() == "[redacted]");
  REQUIRE(dump.static_secrets(0).secret().UnpackTo(&tickets));
  CHECK(tickets.name() == "tickets");
  CHECK(tickets.session_ticket_keys().keys(0).inline_string() == "[redacted]");
  REQUIRE(dump.static_secrets(1).secret().UnpackTo(&generic));
  CHECK(generic.name() == "token");
  CHECK(generic.generic_secret().secret().inline_string() == "[redacted]");
}

}  // namespace
}  // namespace sluice::config
