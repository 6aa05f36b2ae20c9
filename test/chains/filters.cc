#include "test/chains/filters.h"

#include <cstdio>
#include <cstdlib>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/any_type.h"
#include "source/config/test_world.h"

namespace sluice::chains {
namespace {

// What a processor is asked, in every mode for bodies.
#define EXT_PROC(REQUEST, RESPONSE, MORE)                                                                \
  "{name: p, typed_config: {'@type': "                                                                   \
  "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor, "                    \
  "grpc_service: {envoy_grpc: {cluster_name: processor}}, processing_mode: {request_header_mode: SEND, " \
  "response_header_mode: SEND, request_body_mode: " REQUEST ", response_body_mode: " RESPONSE            \
  ", request_trailer_mode: SEND, response_trailer_mode: SEND}" MORE "}}"

#define LUA(SCRIPT)                                                                                   \
  "name: l\ntyped_config:\n  '@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\n" \
  "  default_source_code:\n    inline_string: |\n" SCRIPT

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {"adaptive_concurrency"},
      {"admission_control"},
      {"aggregate",
       Changes::kNever,
       {R"({name: a, typed_config: {'@type': type.googleapis.com/sluice.extensions.filters.http.aggregate.v1.Aggregate,
             calls: [{name: a, cluster: a, path: /a}, {name: b, cluster: b, path: /b, default_value: 1}],
             answer: {a: '{{a}}', b: '{{b}}'}, methods: [PUT]}})"}},
      {"api_key_auth"},
      {"bandwidth_limit",
       Changes::kNever,
       {R"({name: b, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit,
             stat_prefix: b, enable_mode: REQUEST_AND_RESPONSE, limit_kbps: 4, fill_interval: 0.05s}})"}},
      {"basic_auth"},
      {"body_size_limit",
       Changes::kNever,
       {R"({name: b, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit,
             max_request_bytes: 60}})"}},
      {"bot_detection"},
      {"buffer",
       Changes::kNever,
       {R"({name: b, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer,
             max_request_bytes: 60}})"}},
      {"cache"},
      {"composite",
       Changes::kNever,
       {R"({name: c, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.composite.v3.Composite,
             matcher: {matcher_tree: {input: {name: host, typed_config: {
               '@type': type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: ':method'}},
             exact_match_map: {map: {
               POST: {action: {name: b, typed_config: {
                 '@type': type.googleapis.com/envoy.extensions.filters.http.composite.v3.ExecuteFilterAction,
                 typed_config: {name: buffer, typed_config: {
                   '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 1000}}}}},
               GET: {action: {name: p, typed_config: {
                 '@type': type.googleapis.com/envoy.extensions.filters.http.composite.v3.ExecuteFilterAction,
                 typed_config: {name: fault, typed_config: {
                   '@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault,
                   delay: {fixed_delay: 1s, percentage: {numerator: 50, denominator: HUNDRED}}}}}}}}}}}}})"}},
      {"compressor",
       Changes::kWithType,
       {R"({name: c, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor,
             request_direction_config: {common_config: {min_content_length: 30}},
             response_direction_config: {common_config: {min_content_length: 30}},
             compressor_library: {name: gzip, typed_config: {
               '@type': type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip}}}})"}},
      {"connect_grpc_bridge", Changes::kWithType},
      {"cors",
       Changes::kNever,
       {},
       R"({'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy,
           allow_origin_string_match: [{exact: 'https://a.example'}], allow_methods: GET, max_age: '600'})"},
      {"credential_injector"},
      {"csrf"},
      {"custom_response", Changes::kAny},
      {"decompressor", Changes::kWithType},
      {"dynamic_forward_proxy"},
      {"ext_authz",
       Changes::kNever,
       {R"({name: e, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz,
             transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: authz}},
             with_request_body: {max_request_bytes: 50}}})",
        R"({name: e, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz,
             transport_api_version: V3, failure_mode_allow: true, grpc_service: {envoy_grpc: {cluster_name: authz}}}})"}},
      {"ext_proc",
       Changes::kAny,
       {EXT_PROC("STREAMED", "STREAMED", ""), EXT_PROC("BUFFERED", "BUFFERED", ", failure_mode_allow: true"),
        EXT_PROC("BUFFERED_PARTIAL", "BUFFERED_PARTIAL", ""),
        EXT_PROC("NONE", "STREAMED", ", failure_mode_allow: true")}},
      {"fault",
       Changes::kNever,
       {R"({name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault,
             delay: {fixed_delay: 2s, percentage: {numerator: 50, denominator: HUNDRED}},
             abort: {http_status: 503, percentage: {numerator: 10, denominator: HUNDRED}},
             response_rate_limit: {fixed_limit: {limit_kbps: 4}, percentage: {numerator: 50, denominator: HUNDRED}}}})"}},
      {"file_server",
       Changes::kNever,
       {R"({name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.file_server.v3.FileServerConfig,
             manager_config: {thread_pool: {}}, path_mappings: [{request_path_prefix: /static, file_path_prefix: /etc}]}})"}},
      {"geoip"},
      {"grpc_field_extraction"},
      {"grpc_http1_bridge", Changes::kWithType},
      {"grpc_http1_reverse_bridge", Changes::kWithType},
      {"grpc_json_reverse_transcoder", Changes::kAny},
      {"grpc_json_transcoder", Changes::kWithType},
      {"grpc_stats"},
      {"grpc_web", Changes::kWithType},
      {"header_mutation"},
      {"header_to_metadata"},
      {"health_check",
       Changes::kNever,
       {R"({name: h, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck,
             pass_through_mode: true, cache_time: 5s, headers: [{name: ':path', string_match: {exact: /healthz}}]}})"}},
      {"hmac_auth"},
      {"ip_tagging"},
      {"json_to_metadata"},
      {"jwt_authn"},
      {"key_auth"},
      {"ldap_auth"},
      {"local_ratelimit",
       Changes::kNever,
       {R"({name: l, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit,
             stat_prefix: l, token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 1s},
             filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}},
             filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}}})"}},
      {"lua",
       Changes::kAny,
       {LUA("      function envoy_on_request(h)\n"
            "        local b = h:body()\n"
            "        if b and b:length() > 3 then b:setBytes('<' .. b:getBytes(0, 3) .. '>') end\n"
            "      end\n"
            "      function envoy_on_response(h)\n"
            "        for chunk in h:bodyChunks() do chunk:length() end\n"
            "        local t = h:trailers()\n"
            "        if t then t:add('x-lua', '1') end\n"
            "      end\n"),
        LUA("      function envoy_on_request(h)\n"
            "        local headers, body = h:httpCall('c', {[':method'] = 'POST', [':path'] = '/', [':authority'] = "
            "'c'}, 'x', 500)\n"
            "        if headers[':status'] == '403' then h:respond({[':status'] = '403'}, body) end\n"
            "        for chunk in h:bodyChunks() do chunk:length() end\n"
            "      end\n"
            "      function envoy_on_response(h)\n"
            "        h:httpCall('c', {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'c'}, '', 500)\n"
            "        local b = h:body(true)\n"
            "        b:setBytes(b:getBytes(0, b:length()) .. '!')\n"
            "      end\n"),
        LUA("      function envoy_on_request(h)\n"
            "        h:httpCall('c', {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'c'}, '', 500, true)\n"
            "        if h:headers():get('x-user') then error('no') end\n"
            "      end\n")}},
      {"mtls_auth"},
      {"oauth2"},
      {"oauth2_server"},
      {"on_demand"},
      {"original_src"},
      {"policy",
       Changes::kNever,
       {R"({name: p, typed_config: {'@type': type.googleapis.com/sluice.extensions.filters.http.policy.v1.Policy,
             policies: {rules: [{name: user, deny: {permissions: [{header: {name: x-user}}]}}]}}})"}},
      {"rate_limit_quota"},
      {"ratelimit",
       Changes::kNever,
       {R"({name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit,
             domain: d, timeout: 0.5s, failure_mode_deny: true, enable_x_ratelimit_headers: DRAFT_VERSION_03,
             rate_limits: [{actions: [{generic_key: {descriptor_value: v}}]}],
             rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: r}}, transport_api_version: V3}}})"}},
      {"rbac",
       Changes::kNever,
       {R"({name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC,
             rules: {action: ALLOW, policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}}})"}},
      {"set_filter_state"},
      {"set_metadata"},
      {"stateful_session"},
      {"transform", Changes::kAny},
  };
  return kRows;
}

namespace {

[[noreturn]] void refuse(const Row& row, const std::string& problems) {
  std::fprintf(stderr, "test/chains/filters.cc: %s: %s\n", std::string(row.folder).c_str(), problems.c_str());
  std::abort();
}

std::shared_ptr<const google::protobuf::Message> read(const Row& row, const std::string& yaml, bool from_file) {
  config::testing::TestWorld world;
  envoy::config::core::v3::TransportSocket entry;  // a name and a typed_config, as an entry of http_filters
  const bool good = from_file ? world.loadFile(yaml, entry) : world.load(yaml, entry);
  std::shared_ptr<const google::protobuf::Message> message;
  if (good) message = config::unpackAny(entry.typed_config(), world.at);
  if (!message || !world.problems().empty()) refuse(row, world.problems());
  return message;
}

std::vector<Choice> choicesOf(const Row& row) {
  std::vector<Choice> out;
  std::shared_ptr<const google::protobuf::Message> route;
  if (!row.route.empty()) route = read(row, "{name: r, typed_config: " + std::string(row.route) + "}", false);
  const std::string example = "source/extensions/filters/http/" + std::string(row.folder) + "/example.yaml";
  out.push_back({&row, 0, read(row, example, true), route});
  for (const std::string_view other : row.others) {
    out.push_back({&row, out.size(), read(row, std::string(other), false), route});
  }
  return out;
}

}  // namespace

const std::vector<std::vector<Choice>>& choices() {
  static const std::vector<std::vector<Choice>> kChoices = [] {
    std::vector<std::vector<Choice>> all;
    for (const Row& row : rows()) all.push_back(choicesOf(row));
    return all;
  }();
  return kChoices;
}

}  // namespace sluice::chains
