#include "source/extensions/filters/network/http_connection_manager/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/network_filter_factory.h"
#include "source/config/terminal_factory.h"
#include "source/config/test_world.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// Ends a chain, whatever it is configured with.
struct AnyEnd : config::TerminalConfigFactory {
  struct Config : filter::TerminalConfig {
    filter::Terminal* make(worker::WorkerServices&, filter::ChainRunner&, filter::Stream&,
                           filter::Downstream&) const override {
      return nullptr;
    }
  };
  std::string_view configType() const override { return google::protobuf::StringValue::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message&,
                                                        config::FactoryContext) const override {
    return std::make_shared<Config>();
  }
};

const std::string kEnd = "{name: end, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue}}";
const std::string kRoutes = "route_config: {name: r}";

struct ManagerTest : config::testing::TestWorld {
  ManagerTest() {
    registerFactory(registry);
    registry.terminals.add(std::make_unique<AnyEnd>());
  }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const std::string& fields) {
    Proto proto;
    if (!load("{stat_prefix: a, " + fields + "}", proto)) return nullptr;
    return registry.network_filters.find(Proto::descriptor()->full_name())->compile(proto, context());
  }
};

TEST_CASE("a chain that ends, and routes, make a connection manager with stats under its prefix") {
  ManagerTest t;

  const auto manager = t.compile(kRoutes + ", http_filters: [" + kEnd + "]");

  CHECK(t.problems() == "");
  CHECK(manager != nullptr);
  CHECK(t.stats.find("http.a.downstream_rq_total") != nullptr);
}

TEST_CASE("chains that are no chains are refused") {
  const auto [filters, problem] = GENERATE(table<std::string, std::string>({
      {"", "http_filters: the chain is empty"},
      {kEnd + ", " + kEnd, "http_filters[0]: filter 'end' is terminal and has to be the last"},
      {"{name: f}", "http_filters[0].typed_config: filter 'f' has no typed_config"},
      {"{name: end, disabled: true, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue}}",
       "disabled: a terminal filter cannot be disabled"},
      {"{name: f, typed_config: {'@type': type.googleapis.com/google.protobuf.BoolValue}}",
       "google.protobuf.BoolValue does not configure HTTP filters"},
  }));
  ManagerTest t;

  CHECK(t.compile(kRoutes + ", http_filters: [" + filters + "]") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains(problem));
}

// Does nothing; waits for routes, or takes settings of them.
struct Idle final : filter::HttpFilter {};
template <typename Message, bool kAwaits>
struct IdleFactory final : config::HttpFilterConfigFactory {
  std::string_view configType() const override { return Message::descriptor()->full_name(); }
  bool awaitsRoutes() const override { return kAwaits; }
  std::string_view routeConfigType() const override {
    return kAwaits ? std::string_view() : std::string_view(Message::descriptor()->full_name());
  }
  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message&,
                                                           config::FactoryContext) const override {
    return std::make_shared<filter::Factory<Idle>>();
  }
};

TEST_CASE("a filter that waits for routes is to stand in front of those that take settings of them") {
  const std::string waits = "{name: w, typed_config: {'@type': type.googleapis.com/google.protobuf.BoolValue}}, ";
  const std::string takes = "{name: s, typed_config: {'@type': type.googleapis.com/google.protobuf.Int32Value}}, ";
  const auto warnings = [&](const std::string& filters) {
    ManagerTest t;
    t.registry.http_filters.add(std::make_unique<IdleFactory<google::protobuf::BoolValue, true>>());
    t.registry.http_filters.add(std::make_unique<IdleFactory<google::protobuf::Int32Value, false>>());
    CHECK(t.compile(kRoutes + ", http_filters: [" + filters + kEnd + "]") != nullptr);
    std::string out;
    for (const config::ConfigError& warning : t.errors.warnings()) out += warning.toString();
    return out;
  };

  CHECK(warnings(waits + takes) == "");
  CHECK_THAT(warnings(takes + waits), Catch::Contains("http_filters[1]: filter 'w' waits for routes; a request whose "
                                                      "routes have settings for filter 's' in front of it"));
}

TEST_CASE("what is not served is refused with what to do") {
  const auto [fields, problem] = GENERATE(table<std::string, std::string>({
      {kRoutes + ", codec_type: HTTP3", "codec_type: HTTP/3 is not served so far"},
      {kRoutes + ", upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: WebSocket}]",
       "upgrade_configs[1]: says something of 'websocket' again"},
      {"rds: {config_source: {ads: {}}}", "rds.route_config_name: no name"},
      {kRoutes + ", access_log_options: {}, flush_access_log_on_new_request: true",
       "access_log_options: stands beside access_log_flush_interval or flush_access_log_on_new_request"},
      {kRoutes + ", local_reply_config: {body_format: {text_format: '%NOPE%'}}",
       "local_reply_config.body_format: text_format: format '%NOPE%'"},
  }));
  ManagerTest t;

  CHECK(t.compile(fields + ", http_filters: [" + kEnd + "]") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains(problem));
}

TEST_CASE("an upgrade may have filters of its own, which are judged like the others") {
  const auto [filters, problem] = GENERATE(table<std::string, std::string>({
      {kEnd, ""},
      {"", ""},
      {kEnd + ", " + kEnd, "upgrade_configs[0].filters[0]: filter 'end' is terminal"},
      {"{name: f}", "upgrade_configs[0].filters[0].typed_config: filter 'f' has no typed_config"},
      {"{name: f, is_optional: true, typed_config: {'@type': type.googleapis.com/not.known}}",
       "upgrade_configs[0].filters: the chain has no end"},
  }));
  ManagerTest t;

  t.compile(kRoutes + ", http_filters: [" + kEnd + "], upgrade_configs: [{upgrade_type: websocket, filters: [" +
            filters + "]}]");

  if (problem.empty()) {
    CHECK(t.problems() == "");
  } else {
    CHECK_THAT(t.problems(), Catch::Contains(problem));
  }
}

// May not be switched off.
struct StrictFactory final : config::HttpFilterConfigFactory {
  std::string_view configType() const override { return google::protobuf::BoolValue::descriptor()->full_name(); }
  std::string_view switchRefusal(const filter::HttpFilterFactory*) const override { return "it guards"; }
  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message&,
                                                           config::FactoryContext) const override {
    return std::make_shared<filter::Factory<Idle>>();
  }
};

struct StrictTest : ManagerTest {
  StrictTest() { registry.http_filters.add(std::make_unique<StrictFactory>()); }
};

const std::string kStrict = "{name: s, typed_config: {'@type': type.googleapis.com/google.protobuf.BoolValue}}, ";

TEST_CASE("a filter that refuses to be switched off is disabled neither by the chain nor by a route") {
  const std::string off =
      "typed_per_filter_config: {s: {'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}";
  StrictTest by_chain, by_route;

  CHECK(by_chain.compile(kRoutes + ", http_filters: [{disabled: true, " + kStrict.substr(1) + kEnd + "]") == nullptr);
  CHECK(by_route.compile("route_config: {name: r, " + off + "}, http_filters: [" + kStrict + kEnd + "]") == nullptr);

  CHECK_THAT(by_chain.problems(), Catch::Contains("http_filters[0].disabled: disables the filter: it guards"));
  CHECK_THAT(by_route.problems(),
             Catch::Contains("route_config.typed_per_filter_config[\"s\"]: disables the filter: it guards"));
}

TEST_CASE("a filter that refuses to be switched off is not discovered beside others, nor disabled") {
  StrictTest t;
  t.registry.http_filters.add(std::make_unique<IdleFactory<google::protobuf::Int32Value, false>>());
  const std::string discovered =
      "{name: s, disabled: true, config_discovery: {config_source: {path_config_source: {path: /f}}, type_urls: "
      "[type.googleapis.com/google.protobuf.BoolValue, type.googleapis.com/google.protobuf.Int32Value]}}, ";

  CHECK(t.compile(kRoutes + ", http_filters: [" + discovered + kEnd + "]") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains("http_filters[0].config_discovery.type_urls: has several types"));
  CHECK_THAT(t.problems(), Catch::Contains("http_filters[0].disabled: disables the filter: it guards"));
}

TEST_CASE("an upgrade with filters of its own is warned of one that is missing there and may not be gone round") {
  const auto warnings = [](const std::string& filters) {
    StrictTest t;
    CHECK(t.compile(kRoutes + ", http_filters: [" + kStrict + kEnd +
                    "], upgrade_configs: [{upgrade_type: websocket, filters: [" + filters + "]}]") != nullptr);
    std::string out;
    for (const config::ConfigError& warning : t.errors.warnings()) out += warning.toString();
    return out;
  };

  CHECK_THAT(warnings(kEnd), Catch::Contains("upgrade_configs[0].filters: has no filter 's'"));
  CHECK(warnings(kStrict + kEnd) == "");
}

TEST_CASE("fields about the ends of connections are taken") {
  const std::string fields = GENERATE(
      values<std::string>({"drain_timeout: 1s, drain_timeout_jitter: {value: 10}", "stream_flush_timeout: 3s",
                           "http1_safe_max_connection_duration: true", "stream_error_on_invalid_http_message: false",
                           "http2_protocol_options: {override_stream_error_on_invalid_http_message: true, "
                           "disallow_obs_text: true}",
                           "common_http_protocol_options: {max_connection_duration: 60s, "
                           "max_connection_duration_jitter: {value: 50}}"}));
  ManagerTest t;

  CHECK(t.compile(kRoutes + ", http_filters: [" + kEnd + "], " + fields) != nullptr);

  CHECK(t.problems() == "");
}

// The extension of `type`, below envoy.extensions, with these fields.
std::string extension(const std::string& type, const std::string& fields = "") {
  return "{name: e, typed_config: {'@type': type.googleapis.com/envoy.extensions." + type +
         (fields.empty() ? "" : ", " + fields) + "}}";
}

const std::string kXff = "http.original_ip_detection.xff.v3.XffConfig";
const std::string kHeader = "http.original_ip_detection.custom_header.v3.CustomHeaderConfig";
const std::string kEarly = "http.early_header_mutation.header_mutation.v3.HeaderMutation";
const std::string kPreserve = "http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig";
const std::string kManager = "filters.network.http_connection_manager.v3.HttpConnectionManager";
const std::string kUuid = "request_id.uuid.v3.UuidRequestIdConfig";

TEST_CASE("fields about the client and about heads are taken") {
  const std::string fields = GENERATE_COPY(values<std::string>(
      {"internal_address_config: {unix_sockets: true, cidr_ranges: [{address_prefix: 127.0.0.1, "
       "prefix_len: 32}, {address_prefix: '::1', prefix_len: 128}]}",
       "internal_address_config: {}",
       "add_user_agent: true",
       "original_ip_detection_extensions: [" + extension(kXff, "xff_num_trusted_hops: 1") + ", " +
           extension(kHeader, "header_name: x-real-ip, reject_with_status: {code: 401}") + "]",
       "original_ip_detection_extensions: [" +
           extension(kXff,
                     "xff_trusted_cidrs: {cidrs: [{address_prefix: 10.0.0.0, prefix_len: "
                     "8}]}, skip_xff_append: false") +
           "]",
       "early_header_mutation_extensions: [" +
           extension(kEarly,
                     "mutations: [{remove: a}, {append: {header: {key: b, value: c}}}, "
                     "{remove_on_match: {key_matcher: {prefix: x-debug-}}}]") +
           "]",
       "request_id_extension: {typed_config: {'@type': type.googleapis.com/envoy.extensions." + kUuid +
           ", pack_trace_reason: false, use_request_id_for_trace_sampling: false}}",
       "scheme_header_transformation: {scheme_to_overwrite: https}",
       "scheme_header_transformation: {match_upstream: true}",
       "forward_proto_config: {https_destination_ports: [443], http_destination_ports: [80]}",
       "strip_any_host_port: true, strip_trailing_host_dot: true",
       "append_x_forwarded_port: true",
       "represent_ipv4_remote_address_as_ipv4_mapped_ipv6: true",
       "http_protocol_options: {header_key_format: {proper_case_words: {}}}",
       "http_protocol_options: {ignore_http_11_upgrade: [{prefix: TLS/}]}",
       "http_protocol_options: {accept_http_10: true, default_host_for_http_10: a.example}",
       "http2_protocol_options: {custom_settings_parameters: [{identifier: 16, value: 1}], "
       "enable_huffman_encoding: true, max_header_field_size_kb: 64}",
       "add_proxy_protocol_connection_state: false",
       "set_current_client_cert_details: {format: TEXT}",
       "forward_client_cert_matcher: {on_no_match: {action: " +
           extension(kManager + ".ForwardClientCertConfig", "forward_client_cert_details: SANITIZE_SET") + "}}",
       "http_protocol_options: {header_key_format: {stateful_formatter: " +
           extension(kPreserve, "formatter_type_on_envoy_headers: PROPER_CASE") + "}}"}));
  ManagerTest t;

  const auto manager = t.compile(kRoutes + ", http_filters: [" + kEnd + "], " + fields);

  INFO(fields);
  CHECK(t.problems() == "");
  CHECK(manager != nullptr);
}

TEST_CASE("what contradicts itself is refused with its place") {
  const auto [fields, problem] = GENERATE_COPY(table<std::string, std::string>({
      {"internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 40}]}",
       "internal_address_config.cidr_ranges[0]"},
      {"use_remote_address: true, original_ip_detection_extensions: [" + extension(kXff) + "]",
       "original_ip_detection_extensions: cannot be used with use_remote_address"},
      {"xff_num_trusted_hops: 1, original_ip_detection_extensions: [" + extension(kXff) + "]",
       "original_ip_detection_extensions: cannot be used with use_remote_address or xff_num_trusted_hops"},
      {"original_ip_detection_extensions: [" +
           extension(kXff, "xff_num_trusted_hops: 1, xff_trusted_cidrs: {cidrs: [{address_prefix: 10.0.0.0}]}") + "]",
       "original_ip_detection_extensions[0].typed_config: has both xff_num_trusted_hops and xff_trusted_cidrs"},
      {"original_ip_detection_extensions: [" + extension(kXff, "xff_trusted_cidrs: {}") + "]",
       "original_ip_detection_extensions[0].typed_config.xff_trusted_cidrs.cidrs: is empty"},
      {"original_ip_detection_extensions: [" + extension(kUuid) + "]",
       "UuidRequestIdConfig does not configure detections of the client's address; known: "},
      {"early_header_mutation_extensions: [" + extension(kXff) + "]",
       "XffConfig does not configure early header mutations; known: "},
      {"early_header_mutation_extensions: [" + extension(kEarly, "mutations: [{remove: host}]") + "]",
       "early_header_mutation_extensions[0].typed_config.mutations[0].remove: \"host\" is part of the request line"},
      {"http_protocol_options: {header_key_format: {stateful_formatter: " + extension(kXff) + "}}",
       "http_protocol_options.header_key_format.stateful_formatter.typed_config: envoy.extensions." + kXff +
           " does not configure forms of header names"},
      {"request_id_extension: {}", "request_id_extension.typed_config: is missing"},
      {"request_id_extension: {typed_config: {'@type': type.googleapis.com/envoy.extensions." + kXff + "}}",
       "request_id_extension.typed_config: envoy.extensions." + kXff + " does not configure request ids"},
      {"forward_proto_config: {https_destination_ports: [70000]}",
       "forward_proto_config.https_destination_ports[0]: 70000 is no port"},
      {"forward_proto_config: {https_destination_ports: [80], http_destination_ports: [80]}",
       "forward_proto_config: port 80 is in both lists"},
      {"http_protocol_options: {ignore_http_11_upgrade: [{safe_regex: {regex: '['}}]}",
       "http_protocol_options.ignore_http_11_upgrade[0]"},
      {"http_protocol_options: {default_host_for_http_10: a/b}", "http_protocol_options.default_host_for_http_10"},
      {"http2_protocol_options: {custom_settings_parameters: [{identifier: 3, value: 1}]}",
       "http2_protocol_options.custom_settings_parameters[0].identifier: 3 cannot be set by this: "
       "max_concurrent_streams says it"},
      {"http2_protocol_options: {custom_settings_parameters: [{identifier: 16, value: 1}, {identifier: 16, value: 2}]}",
       "custom_settings_parameters[1].identifier: 16 is in the list already"},
      {"http2_protocol_options: {enable_huffman_encoding: false}",
       "http2_protocol_options.enable_huffman_encoding: cannot be switched off here"},
      {"http2_protocol_options: {max_header_field_size_kb: 128}",
       "http2_protocol_options.max_header_field_size_kb: cannot be more than 64"},
      {"set_current_client_cert_details: {format: JSON}",
       "set_current_client_cert_details.format: JSON is not written here"},
      {"forward_client_cert_matcher: {on_no_match: {action: " + extension(kXff) + "}}",
       "XffConfig does not say what becomes of x-forwarded-client-cert"},
      {"strip_any_host_port: true, strip_matching_host_port: true", "has both strip_any_host_port and"},
  }));
  ManagerTest t;

  CHECK(t.compile(kRoutes + ", http_filters: [" + kEnd + "], " + fields) == nullptr);

  INFO(fields);
  CHECK_THAT(t.problems(), Catch::Contains(problem));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::http_connection_manager
