#include "source/config/format/substitution_format.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "envoy/config/core/v3/address.pb.h"
#include "google/protobuf/util/json_util.h"
#include "source/config/format/typed_metadata.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::SubstitutionFormatString;

std::string formatted(std::string_view json) {
  SubstitutionFormatString message;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &message);
  REQUIRE(parsed.ok());
  const absl::StatusOr<FormatterPtr> formatter = compileFormat(message, stream::Escape::kLine);
  if (!formatter.ok()) return "ERROR " + std::string(formatter.status().message());
  stream::StreamInfo info;
  info.response_code = 503;
  info.route_name = "r\n";
  std::string out;
  (*formatter)->format({nullptr, nullptr, nullptr, info}, out);
  return out;
}

TEST_CASE("text comes from each kind of source") {
  const std::string path = std::filesystem::temp_directory_path() / "substitution_format_test.txt";
  std::ofstream(path) << "file %RESPONSE_CODE%\n";
  ::setenv("SUBSTITUTION_FORMAT_TEST", "environment %RESPONSE_CODE%", 1);

  CHECK(formatted(R"({"text_format": "plain %RESPONSE_CODE% %ROUTE_NAME%"})") == "plain 503 r\\n");
  CHECK(formatted(R"({"text_format_source": {"inline_string": "inline %RESPONSE_CODE%"}})") == "inline 503");
  CHECK_THAT(formatted(R"({"text_format_source": {"filename": "/f", "watched_directory": {"path": "/"}}})"),
             Catch::Contains("text_format_source: watched_directory: would have the file read again"));
  CHECK(formatted(R"({"text_format_source": {"environment_variable": "SUBSTITUTION_FORMAT_TEST"}})") ==
        "environment 503");
  CHECK(formatted("{\"text_format_source\": {\"filename\": \"" + path + "\"}}") == "file 503\n");
  std::remove(path.c_str());
  CHECK(formatted("{\"text_format_source\": {\"filename\": \"" + path + "\"}}")
            .starts_with("ERROR text_format_source: filename: cannot read file"));
}

TEST_CASE("a JSON format keeps structure and types") {
  CHECK(formatted(R"({"json_format": {"b": {"code": "%RESPONSE_CODE%"}, "a": [1, true, null, "%REQ(x)%"]}})") ==
        "{\"a\":[1,true,null,null],\"b\":{\"code\":503}}\n");
  CHECK(formatted(R"({"json_format": {"a": "%REQ(x)%", "c": "%RESPONSE_CODE%"}, "omit_empty_values": true})") ==
        "{\"c\":503}\n");
}

TEST_CASE("errors name the field") {
  CHECK(formatted(R"({"text_format": "%NOPE%"})").starts_with("ERROR text_format: format '%NOPE%', offset 0: unknown"));
  CHECK(formatted(R"({"json_format": {"a": {"b": "%NOPE%"}}})").starts_with("ERROR json_format: a.b: format '%NOPE%'"));
  CHECK(formatted("{}").starts_with("ERROR one of text_format_source"));
  CHECK(
      formatted(R"({"text_format": "x", "formatters": [{"name": "n", "typed_config":
                      {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}}]})")
          .starts_with("ERROR formatters[0].typed_config: 'google.protobuf.Duration' brings no operators to formats"));
}

TEST_CASE("extensions whose operators are built in may be listed") {
  CHECK(formatted(R"({"text_format": "%METADATA(DYNAMIC:f:k)% %REQ_WITHOUT_QUERY(:path)%", "formatters": [
      {"name": "a", "typed_config": {"@type":
          "type.googleapis.com/envoy.extensions.formatter.metadata.v3.Metadata"}},
      {"name": "b", "typed_config": {"@type":
          "type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"}}]})") == "- -");
  CHECK(formatted(R"({"text_format": "%CEL(has(request.path))%", "formatters": [{"name": "c", "typed_config":
      {"@type": "type.googleapis.com/envoy.extensions.formatter.cel.v3.Cel"}}]})") == "false");
}

TEST_CASE("a format of bodies has a type, and leaves values as they are") {
  const auto made = [](const std::string& json) {
    SubstitutionFormatString message;
    REQUIRE(google::protobuf::util::JsonStringToMessage(json, &message).ok());
    const auto format = compileBodyFormat(message);
    REQUIRE(format.ok());
    stream::StreamInfo info;
    std::string out = format->content_type + " ";
    format->formatter->format({.info = info, .local_reply_body = "\"a\"\n"}, out);
    return out;
  };
  CHECK(made(R"({"text_format": "%LOCAL_REPLY_BODY%"})") == "text/plain \"a\"\n");
  CHECK(made(R"({"text_format": "%LOCAL_REPLY_BODY%", "content_type": "text/html"})") == "text/html \"a\"\n");
  CHECK(made(R"({"json_format": {"b": "%LOCAL_REPLY_BODY%"}})") == "application/json {\"b\":\"\\\"a\\\"\\n\"}\n");
}

TEST_CASE("typed metadata of Envoy is that of a proxy's address, and nothing else") {
  envoy::config::core::v3::Address address;
  address.mutable_socket_address()->set_address("10.0.0.9");
  address.mutable_socket_address()->set_port_value(3128);
  envoy::config::core::v3::Metadata metadata;
  (*metadata.mutable_typed_filter_metadata())[std::string(stream::kProxyAddressMetadata)].PackFrom(address);

  const stream::FixedMetadata compiled = metadataOf(metadata);

  REQUIRE(compiled);
  const auto* value = stream::findMetadata(*compiled.fields(), stream::kProxyAddressMetadata, {"address"});
  REQUIRE(value != nullptr);
  CHECK(std::get<std::string>(value->value) == "10.0.0.9:3128");
  ErrorList errors;
  Positions positions;
  const Context at(errors, &positions);
  checkTypedMetadata(metadata, at);
  CHECK(errors.empty());
  address.clear_socket_address();
  (*metadata.mutable_typed_filter_metadata())[std::string(stream::kProxyAddressMetadata)].PackFrom(address);
  (*metadata.mutable_typed_filter_metadata())["envoy.other"].PackFrom(address);
  checkTypedMetadata(metadata, at);
  CHECK(errors.total() == 2);
  CHECK_THAT(
      errors.toString(),
      Catch::Contains("typed_filter_metadata[envoy.other]: is for an extension of Envoy that does not read it here"));
}

}  // namespace
}  // namespace sluice::config
