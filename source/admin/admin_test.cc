#include "source/admin/admin.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "envoy/admin/v3/config_dump_shared.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"

namespace sluice::admin {
namespace {

using nlohmann::json;
namespace api = envoy::admin::v3;

class FakeState : public AdminState {
 public:
  FakeState() : logger_(observability::LogLevel::kInfo, [](std::string_view) {}) {
    info.set_version("1.2.3");
    info.mutable_command_line_options()->set_config_yaml("password: x");
    stats_.makeCells().add(stats_.counter("http.a.downstream_rq_2xx"), 3);
    stats_.counter("server.unused");
    addCluster("one");
    addCluster("two");
  }

  void addCluster(const std::string& name) {
    envoy::config::cluster::v3::Cluster cluster;
    cluster.set_name(name);
    dump_clusters.add_static_clusters()->mutable_cluster()->PackFrom(cluster);
  }

  api::ServerInfo serverInfo() const override { return info; }
  api::Clusters clusters() const override { return clusters_; }
  std::string healthReason(const std::string&, size_t) const override { return reason; }
  api::Listeners listeners() const override { return listeners_; }
  api::ConfigDump configDump(bool include_endpoints) const override {
    api::ConfigDump out;
    out.add_configs()->PackFrom(api::BootstrapConfigDump());
    out.add_configs()->PackFrom(dump_clusters);
    if (dump_routes.static_route_configs_size() > 0) out.add_configs()->PackFrom(dump_routes);
    if (include_endpoints) {
      api::EndpointsConfigDump endpoints;
      envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
      assignment.set_cluster_name("eds");
      endpoints.add_dynamic_endpoint_configs()->mutable_endpoint_config()->PackFrom(assignment);
      out.add_configs()->PackFrom(endpoints);
    }
    return out;
  }
  envoy::admin::v3::Certificates certificates() const override { return {}; }
  const observability::StatsRegistry& stats() const override { return stats_; }
  std::vector<jwt::RemoteKeys::Health> keySets() const override { return key_sets; }
  std::vector<ResourceVerdict> verdicts() const override { return resources; }
  envoy::service::status::v3::ClientStatusResponse clientStatus() const override { return client_status; }
  Response explain(const std::vector<std::pair<std::string, std::string>>& parameters) const override {
    Response out;
    for (const auto& [name, value] : parameters) out.body += name + "=" + value + ";";
    return out;
  }
  observability::Logger& logger() override { return logger_; }
  void quit() override { actions += "quit "; }
  void drainListeners(const DrainRequest& request) override {
    actions += request.graceful ? "drain-gracefully" : "drain";
    actions += request.inbound_only ? "-inbound" : "";
    actions += request.skip_exit ? "-on " : " ";
  }
  void setHealthCheckFailed(bool failed) override { actions += failed ? "fail " : "ok "; }
  size_t purgeCaches(const cache::Purge& purge) override {
    constexpr std::string_view kBy[] = {"address", "prefix", "tag"};
    actions += base::strCat(kBy[static_cast<size_t>(purge.by)], "=", purge.text, " ");
    return 3;
  }

  api::ServerInfo info;
  std::vector<jwt::RemoteKeys::Health> key_sets;
  api::Clusters clusters_;
  std::string reason;
  api::Listeners listeners_;
  api::ClustersConfigDump dump_clusters;
  api::RoutesConfigDump dump_routes;
  std::vector<ResourceVerdict> resources;
  envoy::service::status::v3::ClientStatusResponse client_status;
  std::string actions;

 private:
  observability::StatsRegistry stats_;
  observability::Logger logger_;
};

Response get(FakeState& state, std::string_view target) {
  return handle({"GET", target, "127.0.0.1:9901", {}, {}}, state);
}
Response post(FakeState& state, std::string_view target) {
  return handle({"POST", target, "127.0.0.1:9901", {}, {}}, state);
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

TEST_CASE("ready answers 200 while the server is live and 503 otherwise") {
  FakeState state;

  CHECK(get(state, "/ready").body == "LIVE\n");
  CHECK(get(state, "/ready").status == 200);
  state.info.set_state(api::ServerInfo::DRAINING);
  CHECK(get(state, "/ready").body == "DRAINING\n");
  CHECK(get(state, "/ready").status == 503);
}

TEST_CASE("server_info is JSON with all fields and without the inline configuration") {
  FakeState state;

  const Response response = get(state, "/server_info");

  CHECK(response.content_type == "application/json");
  const json body = json::parse(response.body);
  CHECK(body["version"] == "1.2.3");
  CHECK(body["state"] == "LIVE");
  CHECK(response.body.find("password") == std::string::npos);
}

TEST_CASE("clusters are shown by a regular expression on their names") {
  FakeState state;
  for (const char* name : {"a", "ab", "c"}) state.clusters_.add_cluster_statuses()->set_name(name);

  const json shown = json::parse(get(state, "/clusters?format=json&filter=%5Ea").body);
  REQUIRE(shown["cluster_statuses"].size() == 2);
  CHECK(shown["cluster_statuses"][1]["name"] == "ab");
  CHECK(get(state, "/clusters?filter=c").body.find("ab::") == std::string::npos);
  CHECK(get(state, "/clusters?filter=(").status == 400);
  CHECK(get(state, "/clusters?fliter=a").status == 400);
}

TEST_CASE("clusters have Envoy's lines and JSON") {
  FakeState state;
  api::ClusterStatus& cluster = *state.clusters_.add_cluster_statuses();
  cluster.set_name("backend");
  cluster.set_added_via_api(true);
  cluster.set_eds_service_name("eds");
  cluster.mutable_circuit_breakers()->add_thresholds()->mutable_max_connections()->set_value(1024);
  api::HostStatus& host = *cluster.add_host_statuses();
  host.mutable_address()->mutable_socket_address()->set_address("::1");
  host.mutable_address()->mutable_socket_address()->set_port_value(80);
  host.set_weight(2);
  host.mutable_health_status()->set_eds_health_status(envoy::config::core::v3::UNHEALTHY);
  api::SimpleMetric& stat = *host.add_stats();
  stat.set_name("cx_active");
  stat.set_value(7);

  CHECK(get(state, "/clusters").body ==
        "backend::observability_name::backend\n"
        "backend::default_priority::max_connections::1024\n"
        "backend::default_priority::max_pending_requests::0\n"
        "backend::default_priority::max_requests::0\n"
        "backend::default_priority::max_retries::0\n"
        "backend::added_via_api::true\n"
        "backend::eds_service_name::eds\n"
        "backend::[::1]:80::cx_active::7\n"
        "backend::[::1]:80::hostname::\n"
        "backend::[::1]:80::health_flags::/failed_eds_health\n"
        "backend::[::1]:80::weight::2\n"
        "backend::[::1]:80::region::\n"
        "backend::[::1]:80::zone::\n"
        "backend::[::1]:80::sub_zone::\n"
        "backend::[::1]:80::canary::false\n"
        "backend::[::1]:80::priority::0\n"
        "backend::[::1]:80::success_rate::-1\n"
        "backend::[::1]:80::local_origin_success_rate::-1\n");
  const json body = json::parse(get(state, "/clusters?format=json").body);
  CHECK(body["cluster_statuses"][0]["host_statuses"][0]["stats"][0]["value"] == "7");
  CHECK(get(state, "/clusters?format=xml").status == 400);
}

TEST_CASE("a host's line of health flags has all that is wrong with it, in Envoy's order, and the reason below") {
  FakeState state;
  api::ClusterStatus& cluster = *state.clusters_.add_cluster_statuses();
  cluster.set_name("c");
  api::HostStatus& host = *cluster.add_host_statuses();
  api::HostHealthStatus& health = *host.mutable_health_status();
  health.set_active_hc_timeout(true);
  health.set_failed_outlier_check(true);
  health.set_failed_active_health_check(true);
  host.mutable_success_rate()->set_value(97.5);
  state.reason = "ejected";
  std::string shown = get(state, "/clusters").body;
  CHECK(shown.find("health_flags::/failed_active_hc/failed_outlier_check/active_hc_timeout\n") != std::string::npos);
  CHECK(shown.find("::success_rate::97.5\n") != std::string::npos);
  CHECK(shown.find("::local_origin_success_rate::-1\n") != std::string::npos);
  CHECK(shown.find("::health_reason::ejected\n") != std::string::npos);

  health.Clear();
  health.set_failed_active_degraded_check(true);
  health.set_pending_active_hc(true);
  health.set_eds_health_status(envoy::config::core::v3::DEGRADED);
  shown = get(state, "/clusters").body;
  CHECK(shown.find("::/degraded_active_hc/degraded_eds_health/pending_active_hc\n") != std::string::npos);
}

TEST_CASE("listeners are name and address") {
  FakeState state;
  api::ListenerStatus& tcp = *state.listeners_.add_listener_statuses();
  tcp.set_name("web");
  tcp.mutable_local_address()->mutable_socket_address()->set_address("0.0.0.0");
  tcp.mutable_local_address()->mutable_socket_address()->set_port_value(8080);
  api::ListenerStatus& unix_socket = *state.listeners_.add_listener_statuses();
  unix_socket.set_name("local");
  unix_socket.mutable_local_address()->mutable_pipe()->set_path("/run/a.sock");

  api::ListenerStatus& internal = *state.listeners_.add_listener_statuses();
  internal.set_name("inner");
  internal.mutable_local_address()->mutable_envoy_internal_address()->set_server_listener_name("inner");

  CHECK(get(state, "/listeners").body == "web::0.0.0.0:8080\nlocal::/run/a.sock\ninner::envoy://inner/\n");
  CHECK(json::parse(get(state, "/listeners?format=json").body)["listener_statuses"].size() == 3);
}

TEST_CASE("the config dump can be cut down to a resource and to names") {
  FakeState state;

  CHECK(json::parse(get(state, "/config_dump").body)["configs"].size() == 2);
  CHECK(json::parse(get(state, "/config_dump?include_eds").body)["configs"].size() == 3);
  json body = json::parse(get(state, "/config_dump?name_regex=t.o").body);
  REQUIRE(body["configs"][1]["static_clusters"].size() == 1);
  CHECK(body["configs"][1]["static_clusters"][0]["cluster"]["name"] == "two");
  body = json::parse(get(state, "/config_dump?resource=static_clusters&name_regex=one").body);
  REQUIRE(body["configs"].size() == 1);
  CHECK(body["configs"][0]["cluster"]["name"] == "one");
  body = json::parse(get(state, "/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex=eds").body);
  CHECK(body["configs"][0]["endpoint_config"]["cluster_name"] == "eds");

  CHECK(get(state, "/config_dump?resource=nothing").status == 404);
  CHECK(get(state, "/config_dump?resource=bootstrap").status == 400);
  CHECK(get(state, "/config_dump?name_regex=(").status == 400);
  CHECK(get(state, "/config_dump?nmae_regex=x").status == 400);
}

TEST_CASE("a mask of the config dump leaves the fields that its paths mean") {
  FakeState state;

  json body = json::parse(get(state, "/config_dump?mask=static_clusters.cluster.name").body);
  REQUIRE(body["configs"].size() == 1);
  CHECK(body["configs"][0]["static_clusters"][1]["cluster"]["name"] == "two");
  body = json::parse(get(state, "/config_dump?resource=static_clusters&mask=cluster.name,last_updated").body);
  REQUIRE(body["configs"].size() == 2);
  CHECK(body["configs"][0]["cluster"]["name"] == "one");
  CHECK(json::parse(get(state, "/config_dump?mask=bootstrap").body)["configs"].size() == 1);

  for (const char* query : {"mask=", "mask=x", "mask=static_clusters.x", "mask=a..b", "mask=static_clusters.cluster.x",
                            "resource=static_clusters&mask=name"}) {
    CAPTURE(query);
    const Response refused = get(state, base::strCat("/config_dump?", query));
    CHECK(refused.status == 400);
    CHECK(refused.body.find("mask: '") == 0);
  }
}

TEST_CASE("a mask does not show the value of a private header by taking off its name") {
  FakeState state;
  envoy::config::route::v3::RouteConfiguration routes;
  auto& header = *routes.add_request_headers_to_add()->mutable_header();
  header.set_key("authorization");
  header.set_value("s3cr3t");
  state.dump_routes.add_static_route_configs()->mutable_route_config()->PackFrom(routes);

  for (const char* query : {"mask=static_route_configs.route_config.request_headers_to_add.header.value",
                            "resource=static_route_configs&mask=route_config.request_headers_to_add.header.value"}) {
    const Response shown = get(state, base::strCat("/config_dump?", query));
    CHECK(shown.status == 200);
    CHECK(shown.body.find("[redacted]") != std::string::npos);
    CHECK(shown.body.find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE("the status for CSDS is shown without what is private") {
  FakeState state;
  auto& config = *state.client_status.add_config()->add_generic_xds_configs();
  config.set_name("one");
  config.set_client_status(api::NACKED);
  config.mutable_error_state()->set_details("is bad");
  google::protobuf::Any unknown;
  unknown.set_type_url("type.googleapis.com/nowhere.Unknown");
  unknown.set_value("s3cr3t");
  *config.mutable_error_state()->mutable_failed_configuration() = unknown;

  const json body = json::parse(get(state, "/csds").body);

  const json& shown = body["config"][0]["generic_xds_configs"][0];
  CHECK(shown["client_status"] == "NACKED");
  CHECK(shown["error_state"]["details"] == "is bad");
  CHECK(body.dump().find("s3cr3t") == std::string::npos);
  CHECK(get(state, "/csds?x").status == 400);
}

TEST_CASE("stats come in three forms, filtered") {
  FakeState state;

  CHECK(get(state, "/stats").body == "http.a.downstream_rq_2xx: 3\nserver.unused: 0\n");
  CHECK(get(state, "/stats?usedonly").body == "http.a.downstream_rq_2xx: 3\n");
  CHECK(get(state, "/stats?filter=%5Eserver%5C.").body == "server.unused: 0\n");
  CHECK(json::parse(get(state, "/stats?format=json").body)["stats"].size() == 2);
  CHECK(get(state, "/stats?format=prometheus").body == get(state, "/stats/prometheus").body);
  CHECK(get(state, "/stats/prometheus").body.find("envoy_http_downstream_rq_xx{") != std::string::npos);
  CHECK(get(state, "/stats?filter=(").status == 400);
  CHECK(get(state, "/stats?format=xml").status == 400);
  CHECK(get(state, "/stats?nonsense").status == 400);
}

TEST_CASE("the log level is shown and set") {
  FakeState state;

  CHECK(post(state, "/logging").body == "active loggers:\n  sluice: info\n");
  CHECK(post(state, "/logging?level=debug").body == "active loggers:\n  sluice: debug\n");
  CHECK(post(state, "/logging?sluice=warn").body == "active loggers:\n  sluice: warning\n");
  CHECK(post(state, "/logging?level=loud").status == 400);
  CHECK(post(state, "/logging?http=debug").status == 400);
  CHECK(state.logger().level() == observability::LogLevel::kWarning);
}

TEST_CASE("actions act by POST only") {
  FakeState state;
  for (const std::string_view target :
       {"/quitquitquit", "/drain_listeners", "/logging", "/healthcheck/fail", "/healthcheck/ok"}) {
    CAPTURE(target);
    const Response response = get(state, target);
    CHECK(response.status == 405);
    CHECK(header(response, "allow") == "POST");
  }
  CHECK(state.actions.empty());

  for (const std::string_view target :
       {"/drain_listeners", "/drain_listeners?graceful", "/healthcheck/fail", "/healthcheck/ok", "/quitquitquit"}) {
    CHECK(post(state, target).body == "OK\n");
  }
  CHECK(state.actions == "drain drain-gracefully fail ok quit ");
  state.actions.clear();
  CHECK(post(state, "/drain_listeners?inboundonly").status == 200);
  CHECK(post(state, "/drain_listeners?graceful&inboundonly&skip_exit").status == 200);
  CHECK(post(state, "/drain_listeners?outboundonly").status == 400);
  CHECK(state.actions == "drain-inbound drain-gracefully-inbound-on ");
}

TEST_CASE("a purge of caches is by a URL, a prefix or a tag, and says how many answers went") {
  FakeState state;

  CHECK(post(state, "/cache/purge?url=http://a.example/x?y=%25").body == "removed: 3\n");
  post(state, "/cache/purge?url=HTTPS://a.example%23top");
  post(state, "/cache/purge?prefix=a.example/images/");
  post(state, "/cache/purge?prefix=https://a.example");
  post(state, "/cache/purge?tag=news");
  CHECK(state.actions ==
        "address=a.example/x?y=% address=a.example prefix=a.example/images/ prefix=a.example tag=news ");

  state.actions.clear();
  for (const char* query :
       {"", "?", "?url=a.example/x", "?url=http://", "?url=http:///x", "?url=", "?prefix=", "?prefix=/x",
        "?prefix=http://", "?tag=", "?tag", "?tag=a&tag=b", "?tag=a&url=http://a", "?path=a.example"}) {
    CHECK(post(state, std::string("/cache/purge") + query).status == 400);
  }
  CHECK(get(state, "/cache/purge?tag=news").status == 405);
  CHECK(handle({"POST", "/cache/purge?tag=a", "127.0.0.1:9901", "http://evil.example", {}}, state).status == 403);
  CHECK(state.actions == "");
}

TEST_CASE("a question about a request is read by GET, and by POST from the body, which no log has") {
  FakeState state;
  const std::string_view of_page = "http://evil.example";

  CHECK(get(state, "/explain?request=http%3A%2F%2Fa%2F&header=a:+b").body == "request=http://a/;header=a: b;");
  CHECK(handle({"POST", "/explain", "127.0.0.1:9901", {}, {}, "header=a%3Ab&header=c"}, state).body ==
        "header=a:b;header=c;");
  CHECK(post(state, "/explain?request=x").body == "request=x;");
  CHECK(handle({"POST", "/explain", "127.0.0.1:9901", of_page, {}, "request=x"}, state).status == 403);
  CHECK(handle({"PUT", "/explain", "127.0.0.1:9901", {}, {}}, state).status == 405);
}

TEST_CASE("key sets are shown with the names of their keys and what was wrong") {
  FakeState server;
  server.key_sets = {{.uri = "https://idp.example/jwks",
                      .cluster = "idp",
                      .keys = {{"k\"1", "RS256"}},
                      .age = std::chrono::seconds(7),
                      .last_error = "timeout",
                      .failures = 2,
                      .next_fetch = std::chrono::milliseconds(900)}};

  const Response shown = get(server, "/jwks");

  CHECK(shown.content_type == "application/json");
  CHECK(shown.body ==
        "{\"key_sets\":[{\"uri\":\"https://idp.example/jwks\",\"cluster\":\"idp\",\"keys\":[{\"kid\":\"k\\\"1\","
        "\"alg\":\"RS256\"}],\"age_seconds\":7,\"last_error\":\"timeout\",\"failures_in_a_row\":2,"
        "\"next_fetch_ms\":900}]}\n");
}

TEST_CASE("a path with two slashes is that with one") {
  FakeState state;

  CHECK(get(state, "//stats?format=json").content_type == "application/json");
  CHECK(get(state, "/stats//prometheus").status == 200);
  CHECK(post(state, "///healthcheck//fail").status == 200);
}

TEST_CASE("views take GET and HEAD only") {
  FakeState state;

  CHECK(handle({"HEAD", "/stats", "h", {}, {}}, state).status == 200);
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const Response response = handle({method, "/stats", "h", {}, {}}, state);
    CHECK(response.status == 405);
    CHECK(header(response, "allow") == "GET, HEAD");
  }
}

TEST_CASE("a page of another origin cannot make a browser act") {
  FakeState state;
  const auto status = [&](std::string_view host, std::string_view origin, std::string_view site) {
    return handle({"POST", "/quitquitquit", host, origin, site}, state).status;
  };

  CHECK(status("127.0.0.1:9901", "http://evil.example", "") == 403);
  CHECK(status("127.0.0.1:9901", "null", "") == 403);
  CHECK(status("127.0.0.1:9901", "http://127.0.0.1:9902", "") == 403);
  CHECK(status("127.0.0.1:9901", "", "cross-site") == 403);
  CHECK(status("127.0.0.1:9901", "", "same-site") == 403);
  // DNS rebinding: the browser believes that the attacker's name is this server.
  CHECK(status("evil.example:9901", "http://evil.example:9901", "same-origin") == 403);
  CHECK(state.actions.empty());

  CHECK(status("127.0.0.1:9901", "http://127.0.0.1:9901", "same-origin") == 200);
  CHECK(status("[::1]:9901", "http://[::1]:9901", "") == 200);
  CHECK(status("localhost", "http://localhost", "none") == 200);
  CHECK(status("admin.internal:9901", "", "") == 200);
}

TEST_CASE("an unknown path gets help") {
  FakeState state;

  const Response response = get(state, "/nothing?a=b");

  CHECK(response.status == 404);
  CHECK(response.body.find("/config_dump") != std::string::npos);
  CHECK(get(state, "/help").body.find("/quitquitquit (POST)") != std::string::npos);
  CHECK(get(state, "/").content_type == "text/html; charset=UTF-8");
  CHECK(json::parse(get(state, "/memory").body).contains("allocated"));
  CHECK(header(get(state, "/"), "x-content-type-options") == "nosniff");
}

TEST_CASE("what became of resources is shown, all or those in one state, of one type or name") {
  FakeState state;
  using State = ResourceVerdict::State;
  state.resources = {
      {.type = "a.v3.Cluster", .name = "one", .state = State::kServing, .version = "7"},
      {.type = "a.v3.Cluster", .name = "two", .state = State::kWarming, .version = "7", .waits_for = "endpoints 'two'"},
      {.type = "a.v3.Listener",
       .name = "web",
       .state = State::kRejected,
       .version = "6",
       .rejected_version = "7",
       .error = "address: required",
       .age = std::chrono::milliseconds(1500)},
  };
  const json all = json::parse(get(state, "/xds").body);
  CHECK(all["counts"] == json::parse(R"({"serving": 1, "warming": 1, "rejected": 1})"));
  CHECK(all["resources"].size() == 3);
  const json rejected = json::parse(get(state, "/xds?state=rejected").body)["resources"];
  CHECK(rejected == json::parse(R"([{"type": "a.v3.Listener", "name": "web", "state": "rejected", "version": "6",
                                     "rejected_version": "7", "error": "address: required", "age_ms": 1500}])"));
  const json clusters = json::parse(get(state, "/xds?type=Cluster&name_regex=^t").body);
  CHECK(clusters["counts"] == json::parse(R"({"warming": 1})"));
  CHECK(clusters["resources"][0]["waiting_for"] == "endpoints 'two'");
  CHECK(get(state, "/xds?state=good").status == 400);
  CHECK(get(state, "/xds?name_regex=(").status == 400);
  CHECK(get(state, "/xds?nam=x").body == "parameter 'nam' is not supported; known are state, type, name_regex\n");
}

}  // namespace
}  // namespace sluice::admin
