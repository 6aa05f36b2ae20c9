#include "source/config/loader.h"

#include <string>

#include <catch2/catch.hpp>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/common.pb.h"

#include "source/config/any_type.h"
#include "source/config/document.h"
#include "source/config/unknown_fields.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace sluice::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::Node;

// Loads a text and keeps everything that came of it.
template <typename Message>
struct Loaded {
  explicit Loaded(const std::string& text, Format format = Format::kYaml, const std::string& name = "f.yaml") {
    ok = Loader(errors, positions).loadText(text, format, name, message);
  }

  std::string firstError() const { return errors.errors().empty() ? "" : errors.errors()[0].toString(); }

  Message message;
  ErrorList errors;
  Positions positions;
  bool ok = false;
};

TEST_CASE("both name forms set the same field") {
  const Loaded<Cluster> snake("{name: a, connect_timeout: 1s}");
  const Loaded<Cluster> camel("{name: a, connectTimeout: 1s}");

  CHECK(snake.ok);
  CHECK(camel.ok);
  CHECK(snake.message.SerializeAsString() == camel.message.SerializeAsString());
}

TEST_CASE("a text that is not UTF-8 is refused where it stops being it, and so is a NUL byte") {
  const Format format = GENERATE(Format::kYaml, Format::kJson);
  CHECK(Loaded<Cluster>("{\n \"name\": \"\xc3\xa4\xff\"}", format).errors.toString() ==
        "f.yaml:2:12: is not UTF-8; save the file as UTF-8, and write bytes that are no text in base64");
  CHECK(Loaded<Cluster>("{\"name\": \"a\xed\xa0\x80\"}", format).errors.toString().find("f.yaml:1:12: is not UTF-8") ==
        0);
  CHECK(Loaded<Cluster>(std::string("{\"name\": \"a\0b\"}", 15), format).errors.toString() ==
        "f.yaml:1:12: holds a NUL byte, which no text may; remove it");
  CHECK(Loaded<Cluster>("{\"name\": \"\xc3\xa4\"}", format).message.name() == "\xc3\xa4");
}

TEST_CASE("a binary message with a string that is not UTF-8 is refused") {
  const std::string bytes = "\x0a\x01\xff";  // name

  CHECK(Loaded<Cluster>(bytes, Format::kBinary, "f.pb").errors.toString().find("is not a binary") != std::string::npos);
}

TEST_CASE("enum names are accepted in any case and as numbers") {
  CHECK(Loaded<Cluster>("type: STRICT_DNS").message.type() == Cluster::STRICT_DNS);
  CHECK(Loaded<Cluster>("type: strict_dns").message.type() == Cluster::STRICT_DNS);
  CHECK(Loaded<Cluster>("type: strict-dns").message.type() == Cluster::STRICT_DNS);
  CHECK(Loaded<Cluster>("type: 1").message.type() == Cluster::STRICT_DNS);
}

TEST_CASE("integers are accepted as numbers, as strings, in hexadecimal and in octal") {
  const auto limit = [](const std::string& value) {
    return Loaded<Cluster>("per_connection_buffer_limit_bytes: " + value)
        .message.per_connection_buffer_limit_bytes()
        .value();
  };

  CHECK(limit("32768") == 32768);
  CHECK(limit("\"32768\"") == 32768);
  CHECK(limit("0x8000") == 32768);
  CHECK(limit("0100000") == 32768);
  CHECK(limit("3000000000") == 3000000000u);
  CHECK(limit("1.0") == 1);
}

TEST_CASE("YAML 1.1 booleans are booleans unless quoted") {
  CHECK(Loaded<Cluster>("respect_dns_ttl: yes").message.respect_dns_ttl());
  CHECK(Loaded<Cluster>("respect_dns_ttl: On").message.respect_dns_ttl());
  CHECK_FALSE(Loaded<Cluster>("respect_dns_ttl: n").message.respect_dns_ttl());
  CHECK(Loaded<Cluster>("name: \"yes\"").message.name() == "yes");
  CHECK(Loaded<Cluster>("name: yes").firstError() ==
        "f.yaml:1:7: name: expected a string, found yes; quote it: \"yes\"");
}

TEST_CASE("no error quotes the value of a field that holds a secret") {
  const auto error = [](const std::string& text) {
    return Loaded<envoy::extensions::transport_sockets::tls::v3::TlsCertificate>(text).firstError();
  };
  CHECK(error("password: {inline_string: 4711}") ==
        "f.yaml:1:27: password.inline_string: expected a string, found a number; quote it");
  CHECK(error("private_key: MIIEvQIBADANBg") ==
        "f.yaml:1:14: private_key: expected a mapping of DataSource's fields, found a string");
  CHECK(error("password: {inline_bytes: 'se cret!'}") ==
        "f.yaml:1:26: password.inline_bytes: expected base64 text, found a string");
  CHECK(error("ocsp_staple: 4711") ==
        "f.yaml:1:14: ocsp_staple: expected a mapping of DataSource's fields, found 4711");
}

TEST_CASE("a plain number is no string, a plain fraction is") {
  CHECK(Loaded<Cluster>("name: 12").firstError() == "f.yaml:1:7: name: expected a string, found 12; quote it: \"12\"");
  CHECK(Loaded<Cluster>("name: 1.5").message.name() == "1.5");
}

TEST_CASE("durations need their unit, and the error says how to write them") {
  CHECK(Loaded<Cluster>("connect_timeout: 0.25s").message.connect_timeout().nanos() == 250000000);
  CHECK(Loaded<Cluster>("connect_timeout: 250ms").firstError() ==
        "f.yaml:1:18: connect_timeout: \"250ms\" is not a duration; write \"0.25s\"");
  CHECK(Loaded<Cluster>("connect_timeout: 5").firstError() ==
        "f.yaml:1:18: connect_timeout: 5 is not a duration; write \"5s\"");
}

TEST_CASE("all errors of a file come at once, each with line, column and path") {
  const Loaded<Bootstrap> loaded(
      "static_resources:\n"
      "  clusters:\n"
      "  - name: a\n"
      "    conect_timeout: 1s\n"
      "  - name: b\n"
      "    type: STATICK\n"
      "  lisseners: []\n"
      "admin: 7\n");

  REQUIRE(loaded.errors.errors().size() == 4);
  CHECK(loaded.errors.errors()[0].toString() ==
        "f.yaml:4:5: static_resources.clusters[0].conect_timeout: unknown field of envoy.config.cluster.v3.Cluster; "
        "did you mean \"connect_timeout\"?");
  CHECK(loaded.errors.errors()[1].toString() ==
        "f.yaml:6:11: static_resources.clusters[1].type: expected a value of DiscoveryType, found \"STATICK\"; "
        "did you mean \"STATIC\"?");
  CHECK(loaded.errors.errors()[2].toString() ==
        "f.yaml:7:3: static_resources.lisseners: unknown field of envoy.config.bootstrap.v3.Bootstrap.StaticResources; "
        "did you mean \"listeners\"?");
  CHECK(loaded.errors.errors()[3].toString() == "f.yaml:8:8: admin: expected a mapping of Admin's fields, found 7");
  CHECK_FALSE(loaded.ok);
}

TEST_CASE("a field that Envoy knows and we do not declare is refused as unsupported") {
  CHECK(Loaded<Cluster>("lrs_server: {}").firstError() ==
        "f.yaml:1:1: lrs_server: is a field of Envoy's Cluster that is not supported here yet; remove it");
}

TEST_CASE("a field that will not come is refused with the reason and what to do") {
  using envoy::config::core::v3::Http2ProtocolOptions;
  using envoy::config::listener::v3::UdpListenerConfig;
  CHECK(Loaded<UdpListenerConfig>("quic_options: {}").firstError() ==
        "f.yaml:1:1: quic_options: is a field of Envoy's UdpListenerConfig that is about HTTP/3, which is not spoken "
        "here; remove it, and serve the same clients and hosts by HTTP/2");
  CHECK(Loaded<Http2ProtocolOptions>("allow_metadata: true").firstError() ==
        "f.yaml:1:1: allow_metadata: is a field of Envoy's Http2ProtocolOptions that is about METADATA frames, an "
        "extension that only Envoy speaks; they are passed over here, so remove it");
}

TEST_CASE("a key twice in a mapping is an error, in whichever form") {
  CHECK(Loaded<Cluster>("name: a\nname: b").firstError() == "f.yaml:2:1: name: is set twice in this mapping; keep one");
  CHECK(Loaded<Cluster>("alt_stat_name: a\naltStatName: b").firstError() ==
        "f.yaml:2:1: alt_stat_name: is set twice in this mapping; keep one");
  CHECK(Loaded<Node>("metadata: {a: x, a: y}").firstError() ==
        "f.yaml:1:18: metadata[\"a\"]: is set twice in this mapping; keep one");
}

TEST_CASE("two members of a oneof are an error") {
  const Loaded<envoy::config::core::v3::Address> loaded("socket_address: {address: a, port_value: 1}\npipe: {path: b}");

  CHECK(loaded.firstError() ==
        "f.yaml:2:1: pipe: cannot be set together with socket_address; keep one of them (oneof address)");
}

TEST_CASE("null leaves a field unset and is no item of a list") {
  CHECK(Loaded<Cluster>("name: null\nload_assignment: ~\nlb_policy:\n").ok);
  const Loaded<Bootstrap> loaded("static_resources: {clusters: [~, {name: a}]}");
  CHECK(loaded.ok);
  CHECK(loaded.message.static_resources().clusters_size() == 1);
}

TEST_CASE("one value stands for a list of one, a message for a duration, in YAML too") {
  const Loaded<Bootstrap> loaded("static_resources: {clusters: {name: a, connect_timeout: {seconds: 5}}}");

  REQUIRE(loaded.errors.toString() == "");
  CHECK(loaded.message.static_resources().clusters(0).connect_timeout().seconds() == 5);
  CHECK(loaded.positions.find("static_resources.clusters[0].name").column == 31);
  CHECK(Loaded<Bootstrap>("static_resources: {clusters: 7}").firstError() ==
        "f.yaml:1:30: static_resources.clusters[0]: expected a mapping of Cluster's fields, found 7");
}

TEST_CASE("anchors, aliases and merge keys expand, own keys win over merged ones") {
  const Loaded<Bootstrap> loaded(
      "static_resources:\n"
      "  clusters:\n"
      "  - &base {name: a, connect_timeout: 1s, lb_policy: RANDOM}\n"
      "  - {<<: *base, name: b}\n"
      "  - {name: c, <<: [{name: x, connect_timeout: 3s}, *base]}\n"
      "  - *base\n");

  REQUIRE(loaded.errors.toString() == "");
  const auto& clusters = loaded.message.static_resources().clusters();
  REQUIRE(clusters.size() == 4);
  CHECK(clusters[1].name() == "b");
  CHECK(clusters[1].lb_policy() == Cluster::RANDOM);
  CHECK(clusters[2].name() == "c");
  CHECK(clusters[2].connect_timeout().seconds() == 3);
  CHECK(clusters[2].lb_policy() == Cluster::RANDOM);
  CHECK(clusters[3].name() == "a");
}

TEST_CASE("a key tagged !ignore is dropped with its value but its anchors stay") {
  const Loaded<Cluster> loaded("!ignore anything: &t 7s\nname: a\nconnect_timeout: *t\n");

  CHECK(loaded.errors.toString() == "");
  CHECK(loaded.message.connect_timeout().seconds() == 7);
}

TEST_CASE("aliases that multiply without bound end with an error") {
  std::string bomb = "metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    bomb += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k == 0 ? "" : ", ") + previous;
    bomb += "]\n";
  }

  const Loaded<Node> loaded(bomb);

  CHECK_FALSE(loaded.ok);
  CHECK(loaded.firstError().find("aliases multiply the file") != std::string::npos);
}

TEST_CASE("aliases may not multiply a small file's values, bytes or levels far beyond its size") {
  const auto repeated = [](const std::string& item, int count) {
    std::string list = item;
    for (int i = 1; i < count; ++i) list += ", " + item;
    return "[" + list + "]";
  };
  const std::string values = "metadata: {a: &a " + repeated("x", 200) + ", b: " + repeated("*a", 200) + "}\n";
  const std::string bytes = "metadata: {a: &a " + std::string(20'000, 'x') + ", b: " + repeated("*a", 100) + "}\n";
  const std::string merged = "metadata: {a: &a {b: " + repeated("x", 200) + "}, c: [" + [] {
    std::string list;
    for (int i = 0; i < 200; ++i) list += "{<<: *a}, ";
    return list;
  }() + "]}\n";
  std::string deep = "metadata:\n  a0: &a0 [x]\n";
  for (int i = 1; i < 120; ++i) {
    deep += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }

  for (const std::string& text : {values, bytes, merged}) {
    Document document;
    ErrorList errors;
    CHECK_FALSE(document.parseYaml(text, "bomb.yaml", errors));
    REQUIRE(errors.total() == 1);  // said once
    CHECK(errors.errors()[0].message.find("aliases multiply the file") == 0);
  }
  CHECK(Loaded<Node>(deep).firstError().find("nested deeper than 100") != std::string::npos);
  // What files really have: many uses of something small.
  CHECK(Loaded<Node>("metadata: {a: &a {x: y, z: [1, 2, 3]}, b: " + repeated("*a", 500) + "}\n").ok);
}

TEST_CASE("a value that contains itself by an alias is an error") {
  CHECK(Loaded<Node>("metadata: &a {b: *a}").firstError().find("cannot contain itself") != std::string::npos);
}

TEST_CASE("values nested too deep are an error in YAML and in JSON") {
  const std::string yaml = "metadata: {a: " + std::string(150, '[') + std::string(150, ']') + "}";
  const std::string json = "{\"metadata\": {\"a\": " + std::string(150, '[') + std::string(150, ']') + "}}";

  CHECK(Loaded<Node>(yaml).firstError().find("nested deeper than 100") != std::string::npos);
  CHECK(Loaded<Node>(json, Format::kJson).firstError().find("nested deeper than 100") != std::string::npos);
}

TEST_CASE("an Any takes the type that @type names, wherever it stands") {
  const Loaded<envoy::config::listener::v3::Filter> loaded(
      "typed_config:\n"
      "  max_request_bytes: 5\n"
      "  \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n");

  REQUIRE(loaded.errors.toString() == "");
  envoy::extensions::filters::http::buffer::v3::Buffer buffer;
  REQUIRE(loaded.message.typed_config().UnpackTo(&buffer));
  CHECK(buffer.max_request_bytes().value() == 5);
}

TEST_CASE("an unknown @type names the nearest linked one") {
  CHECK(Loaded<envoy::config::listener::v3::Filter>(
            "typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Bufer}")
            .firstError() ==
        "f.yaml:1:25: typed_config: unknown type envoy.extensions.filters.http.buffer.v3.Bufer; did you mean "
        "\"envoy.extensions.filters.http.buffer.v3.Buffer\"?");
  CHECK(Loaded<envoy::config::listener::v3::Filter>(
            "typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.kill_request.v3.KillRequest}")
            .firstError() ==
        "f.yaml:1:25: typed_config: the type envoy.extensions.filters.http.kill_request.v3.KillRequest is Envoy's but "
        "not supported here "
        "yet; remove it");
}

TEST_CASE("a TypedStruct becomes the message that it describes") {
  const Loaded<envoy::config::listener::v3::Filter> loaded(
      "typed_config:\n"
      "  \"@type\": type.googleapis.com/xds.type.v3.TypedStruct\n"
      "  type_url: type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n"
      "  value: {maxRequestBytes: 9}\n");

  REQUIRE(loaded.errors.toString() == "");
  envoy::extensions::filters::http::buffer::v3::Buffer buffer;
  REQUIRE(loaded.message.typed_config().UnpackTo(&buffer));
  CHECK(buffer.max_request_bytes().value() == 9);
}

TEST_CASE("a TypedStruct from the wire is converted when it is unpacked") {
  xds::type::v3::TypedStruct wrapper;
  wrapper.set_type_url("type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer");
  (*wrapper.mutable_value()->mutable_fields())["max_request_bytes"].set_number_value(11);
  google::protobuf::Any any;
  any.PackFrom(wrapper);
  ErrorList errors;

  const auto message = unpackAny(any, Context(errors, nullptr, "typed_config"));

  REQUIRE(message != nullptr);
  CHECK(
      static_cast<const envoy::extensions::filters::http::buffer::v3::Buffer&>(*message).max_request_bytes().value() ==
      11);
}

TEST_CASE("an error inside a TypedStruct from the wire names the field") {
  xds::type::v3::TypedStruct wrapper;
  wrapper.set_type_url("type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer");
  (*wrapper.mutable_value()->mutable_fields())["max_bytes"].set_number_value(11);
  google::protobuf::Any any;
  any.PackFrom(wrapper);
  ErrorList errors;

  CHECK(unpackAny(any, Context(errors, nullptr, "typed_config")) == nullptr);
  CHECK(errors.toString().find("typed_config.max_bytes: unknown field") == 0);
}

TEST_CASE("JSON reads with tabs, escapes and surrogate pairs, and its errors have positions") {
  const Loaded<Cluster> good("{\n\t\"name\": \"a\\/\\u00e9\\ud83d\\ude00\",\n\t\"connectTimeout\": \"1s\"\n}\n",
                             Format::kJson);
  REQUIRE(good.errors.toString() == "");
  CHECK(good.message.name() == "a/\xC3\xA9\xF0\x9F\x98\x80");

  CHECK(Loaded<Cluster>("{\n  \"name\" 1}", Format::kJson, "f.json").firstError() ==
        "f.json:2:10: is not JSON: expected ':' after the name");
  CHECK(Loaded<Cluster>("{\n  \"nam\": \"a\"}", Format::kJson, "f.json").firstError() ==
        "f.json:2:3: nam: unknown field of envoy.config.cluster.v3.Cluster; did you mean \"name\"?");
  CHECK(Loaded<Cluster>("{\"name\": \"a\", 1: 2}", Format::kJson, "f.json").firstError() ==
        "f.json:1:15: is not JSON: expected a name in double quotes");
  CHECK(Loaded<Cluster>("{\"name\": \"a\nb\",\n1}", Format::kJson, "f.json").firstError() ==
        "f.json:3:1: is not JSON: expected a name in double quotes");
  CHECK(Loaded<Cluster>("{\"name\": \"a\"} x", Format::kJson, "f.json").firstError() ==
        "f.json:1:15: is not JSON: something follows the end of the JSON value");
}

TEST_CASE("broken YAML is reported where it breaks") {
  const Loaded<Cluster> loaded("name: a\n  type: [\n");

  REQUIRE(loaded.errors.errors().size() == 1);
  CHECK(loaded.errors.errors()[0].line >= 2);
  CHECK(loaded.errors.errors()[0].message.find("is not YAML") == 0);
  CHECK(Loaded<Cluster>("name: a\n---\nname: b\n").firstError().find("more than one YAML document") !=
        std::string::npos);
}

TEST_CASE("an empty file is an empty message") {
  CHECK(Loaded<Bootstrap>("").ok);
  CHECK(Loaded<Bootstrap>("# nothing\n").ok);
  CHECK(Loaded<Bootstrap>("", Format::kJson).ok);
}

TEST_CASE("Struct keeps the types of the text") {
  const Loaded<Node> loaded("metadata: {a: 1, b: yes, c: \"1\", d: [x, ~], e: {f: 0.5}}");

  REQUIRE(loaded.errors.toString() == "");
  const auto& fields = loaded.message.metadata().fields();
  CHECK(fields.at("a").number_value() == 1);
  CHECK(fields.at("b").bool_value());
  CHECK(fields.at("c").string_value() == "1");
  CHECK(fields.at("d").list_value().values(1).has_null_value());
  CHECK(fields.at("e").struct_value().fields().at("f").string_value() == "0.5");
}

TEST_CASE("a YAML overlay appends to lists, merges messages and replaces values") {
  ErrorList errors;
  Positions positions;
  Loader loader(errors, positions);
  Bootstrap bootstrap;
  REQUIRE(loader.loadText("node: {id: a, cluster: c}\nstatic_resources: {clusters: [{name: x}]}", Format::kYaml,
                          "f.yaml", bootstrap));

  REQUIRE(loader.mergeYaml("node: {id: b}\nstatic_resources:\n  clusters: [{name: z}]", bootstrap));

  CHECK(bootstrap.node().id() == "b");
  CHECK(bootstrap.node().cluster() == "c");
  REQUIRE(bootstrap.static_resources().clusters_size() == 2);
  CHECK(positions.find("static_resources.clusters[0].name").file == "f.yaml");
  CHECK(positions.find("static_resources.clusters[1].name").file == "--config-yaml");
  CHECK(positions.find("static_resources.clusters[1].name").line == 3);
}

TEST_CASE("a binary file that does not parse is refused, one with undeclared fields names them") {
  ErrorList errors;
  Positions positions;
  Cluster cluster;

  CHECK_FALSE(Loader(errors, positions).loadText("\xff\xff\xff", Format::kBinary, "f.pb", cluster));
  CHECK(errors.toString() == "f.pb: is not a binary envoy.config.cluster.v3.Cluster; check the file's suffix");

  ErrorList more;
  // Field 42, lrs_server, as an empty message.
  CHECK_FALSE(Loader(more, positions).loadText(std::string("\xd2\x02\x00", 3), Format::kBinary, "f.pb", cluster));
  CHECK(more.toString().find("f.pb: lrs_server: is a field of Envoy's Cluster") == 0);
}

TEST_CASE("in a dynamic resource only fields that Envoy does not know either are ignored") {
  Cluster cluster;
  REQUIRE(cluster.ParseFromString(std::string("\xd2\x02\x00\xba\x3e\x00", 6)));  // fields 42 and 999
  ErrorList errors;

  const UnknownFields found = checkUnknownFields(cluster, UnknownFieldPolicy::kRefuseKnown, Context(errors));

  CHECK(found.refused == 1);
  CHECK(found.ignored == 1);
  REQUIRE(found.ignored_paths.size() == 1);
  CHECK(found.ignored_paths[0] == ": field 999 of envoy.config.cluster.v3.Cluster");
  CHECK(checkUnknownFields(cluster, UnknownFieldPolicy::kRefuseAll, Context(errors)).refused == 2);
}

TEST_CASE("in a message that decides about access no unknown field is ignored, whoever knows it") {
  envoy::config::listener::v3::Filter filter;
  filter.mutable_typed_config()->set_type_url("type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC");
  filter.mutable_typed_config()->set_value(std::string("\xba\x3e\x00", 3));  // field 999
  ErrorList errors;

  CHECK(checkUnknownFields(filter, UnknownFieldPolicy::kRefuseKnown, Context(errors)).refused == 1);
  CHECK(errors.toString().find("typed_config: holds field 999 of envoy.extensions.filters.network.rbac.v3.RBAC") == 0);

  envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
  REQUIRE(manager.mutable_internal_address_config()->ParseFromString(std::string("\xba\x3e\x00", 3)));
  CHECK(checkUnknownFields(manager, UnknownFieldPolicy::kRefuseKnown, Context(errors)).refused == 1);
}

TEST_CASE("what Envoy 1.40 added is refused by name, where its number is not known too") {
  CHECK(Loaded<Cluster>("stats_matcher: {}").firstError().find("is a field of Envoy's Cluster that is not supported") !=
        std::string::npos);
  CHECK(Loaded<envoy::config::core::v3::PathConfigSource>("poll_interval: 1s")
            .firstError()
            .find("is a field of Envoy's PathConfigSource that is not supported") != std::string::npos);
  CHECK(Loaded<envoy::config::listener::v3::Filter>(
            "typed_config: {\"@type\": "
            "type.googleapis.com/envoy.extensions.filters.http.aws_eventstream_parser.v3.AwsEventstreamParser}")
            .firstError()
            .find("is Envoy's but not supported here yet") != std::string::npos);
  Cluster cluster;
  REQUIRE(cluster.ParseFromString(std::string("\xea\x03\x00", 3)));  // field 61
  ErrorList errors;
  CHECK(checkUnknownFields(cluster, UnknownFieldPolicy::kRefuseKnown, Context(errors)).refused == 1);
}

TEST_CASE("unknown fields are found inside an Any") {
  Cluster inner;
  REQUIRE(inner.ParseFromString(std::string("\xd2\x02\x00", 3)));
  envoy::config::listener::v3::Filter filter;
  filter.mutable_typed_config()->PackFrom(inner);
  ErrorList errors;

  CHECK(checkUnknownFields(filter, UnknownFieldPolicy::kRefuseKnown, Context(errors)).refused == 1);
  CHECK(errors.toString().find("typed_config.lrs_server") == 0);
}

TEST_CASE("a file's position is found for a field and, where it has none, for what encloses it") {
  const Loaded<Bootstrap> loaded("static_resources:\n  clusters:\n  - name: a\n");

  CHECK(loaded.positions.find("static_resources.clusters[0].name").line == 3);
  CHECK(loaded.positions.find("static_resources.clusters[0].name").column == 5);
  CHECK(loaded.positions.find("static_resources.clusters[0].connect_timeout.seconds").line == 3);
  CHECK(loaded.positions.find("static_resources.clusters[0].connect_timeout").column == 5);
}

TEST_CASE("protobuf's text format is read, with the positions of its fields") {
  const Loaded<Bootstrap> loaded(
      "node { id: \"n\" }\nstatic_resources {\n  clusters { name: \"a\" connect_timeout { seconds: 1 } }\n"
      "  clusters {\n    name: \"b\"\n    transport_socket {\n      name: \"tls\"\n      typed_config {\n"
      "        [type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer] { max_request_bytes { value: 7 } "
      "}\n"
      "      }\n    }\n  }\n}\n",
      Format::kText, "f.pb_text");

  CHECK(loaded.errors.toString() == "");
  REQUIRE(loaded.ok);
  REQUIRE(loaded.message.static_resources().clusters_size() == 2);
  CHECK(loaded.message.static_resources().clusters(0).connect_timeout().seconds() == 1);
  envoy::extensions::filters::http::buffer::v3::Buffer buffer;
  REQUIRE(loaded.message.static_resources().clusters(1).transport_socket().typed_config().UnpackTo(&buffer));
  CHECK(buffer.max_request_bytes().value() == 7);
  CHECK(loaded.positions.find("static_resources.clusters[0].connect_timeout.seconds").line == 3);
  CHECK(loaded.positions.find("static_resources.clusters[1].name").line == 5);
  CHECK(loaded.positions.find("static_resources.clusters[1].name").column == 5);
  CHECK(loaded.positions.find("static_resources.clusters[1].transport_socket.typed_config.max_request_bytes").line ==
        8);
}

// The parser stands behind a name when it finds that it does not know it.
TEST_CASE("wrong protobuf text is refused where it is wrong") {
  const auto error = [](const std::string& text) {
    return Loaded<Cluster>(text, Format::kText, "f.pb_text").firstError();
  };
  CHECK(
      error("name: \"a\"\nnmae: \"b\"") ==
      "f.pb_text:2:5: is not text of a protobuf message: Message type \"envoy.config.cluster.v3.Cluster\" has no field "
      "named \"nmae\".");
  CHECK(error("name: \"a\"\n  dns_resolvers: {}")
            .find("f.pb_text:2:16: \"dns_resolvers\" is a field of Envoy's envoy.config.cluster.v3.Cluster that is not "
                  "supported here yet; remove it") == 0);
  CHECK(error("name: 3").find("f.pb_text:1:7: is not text of a protobuf message: ") == 0);
  CHECK(error("name: \"a\" name: \"b\"").find("\"name\" is specified multiple times") != std::string::npos);
  CHECK(error("transport_socket { typed_config { [type.googleapis.com/envoy.Nothing] {} } }")
            .find("unknown type envoy.Nothing") != std::string::npos);
  CHECK(error("name: \"a\xff\"").find("is not UTF-8") != std::string::npos);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "load_balancing_policy { policies { typed_extension_config { typed_config { ";
  CHECK_FALSE(error(deep) == "");
}

TEST_CASE("a file's form goes by its suffix") {
  CHECK(formatOf("a.json") == Format::kJson);
  CHECK(formatOf("a.pb") == Format::kBinary);
  CHECK(formatOf("A.PB_TEXT") == Format::kText);
  CHECK(formatOf("a.textproto") == Format::kText);
  CHECK(formatOf("pb_text") == Format::kYaml);
}

TEST_CASE("a file that is not there is named with the reason") {
  ErrorList errors;
  Positions positions;
  Cluster cluster;

  CHECK_FALSE(Loader(errors, positions).loadFile("/nowhere/f.yaml", cluster));
  CHECK(errors.toString() == "/nowhere/f.yaml: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace sluice::config
