#include "source/config/bootstrap.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/config/loader.h"
#include "source/config/runtime_compiler.h"

namespace sluice::config {
namespace {

struct Compiled {
  explicit Compiled(const std::string& text) {
    envoy::config::bootstrap::v3::Bootstrap bootstrap;
    Loader(errors, positions).loadText(text, Format::kYaml, "f.yaml", bootstrap);
    REQUIRE(errors.toString() == "");
    settings = compileBootstrap(bootstrap, Context(errors, &positions));
  }

  ErrorList errors;
  Positions positions;
  std::optional<BootstrapSettings> settings;
};

const std::string kAdsConfig =
    "api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]";

TEST_CASE("a bootstrap with dynamic resources gives their sources") {
  const Compiled compiled(
      "node: {id: a, cluster: b}\n"
      "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}\n"
      "dynamic_resources:\n"
      "  ads_config: {" +
      kAdsConfig +
      "}\n"
      "  lds_config: {ads: {}, initial_fetch_timeout: 0.0001s}\n"
      "  cds_config: {path_config_source: {path: /c.yaml, watched_directory: {path: /d}}}\n"
      "static_resources: {clusters: [{name: xds, type: STATIC}]}\n");

  REQUIRE(compiled.errors.toString() == "");
  CHECK(compiled.settings->admin_address->toString() == "127.0.0.1:9901");
  CHECK(compiled.settings->sources.ads->delta);
  CHECK(compiled.settings->sources.ads->authority == "xds");
  CHECK(compiled.settings->sources.lds->kind == ResourceSource::Kind::kAds);
  CHECK(compiled.settings->sources.lds->initial_fetch_timeout == std::chrono::milliseconds(1));
  CHECK(compiled.settings->sources.cds->kind == ResourceSource::Kind::kFile);
  CHECK(compiled.settings->sources.cds->watched_directory == "/d");
}

TEST_CASE("the log's lines have the form that the bootstrap says") {
  CHECK(Compiled("{}").settings->log_format.empty());
  CHECK(Compiled("application_log_config: {log_format: {text_format: '[%l] %v'}}").settings->log_format == "[%l] %v");
  CHECK(Compiled("application_log_config: {log_format: {json_format: {message: '%j'}}}").settings->log_format ==
        R"({"message":"%j"})");
  const Compiled broken("application_log_config:\n  log_format:\n    json_format: {a: {b: '%v'}}\n");
  CHECK_FALSE(broken.settings);
  CHECK(broken.errors.toString() ==
        "f.yaml:3:5: application_log_config.log_format.json_format: holds %v, which would put a message with quotes "
        "between quotes; write %j");
  for (const std::string flag : {"%8v", "%-10!_", "%+"}) {
    const Compiled padded("application_log_config: {log_format: {json_format: {a: '%j " + flag + "'}}}");
    CHECK(padded.errors.toString().find("holds " + flag + ", which") != std::string::npos);
  }
  CHECK(Compiled("application_log_config: {log_format: {json_format: {a: '%j %%v'}}}").settings);
}

TEST_CASE("no flag of a JSON log shows a message as it is, however it is written") {
  for (const std::string flag : {"%v", "%_", "%+", "%-20v", "%=8_", "%10!v"}) {
    INFO(flag);
    const Compiled broken("application_log_config: {log_format: {json_format: {a: '%n " + flag + "'}}}");
    CHECK_FALSE(broken.settings);
    CHECK(broken.errors.toString().find("holds " + flag + ", which") != std::string::npos);
  }
  CHECK(Compiled("application_log_config: {log_format: {json_format: {a: '%%v 100%%'}}}").settings->log_format ==
        R"({"a":"%%v 100%%"})");
}

TEST_CASE("how much may be on its way to internal listeners is an extension of the bootstrap") {
  const auto with = [](const std::string& type) {
    return "bootstrap_extensions: [{name: a, typed_config: {'@type': type.googleapis.com/envoy.extensions." + type +
           "}}]\n";
  };
  CHECK(Compiled("{}").settings->internal_buffer == 1024 * 1024);
  CHECK(
      Compiled(with("bootstrap.internal_listener.v3.InternalListener, buffer_size_kb: 8")).settings->internal_buffer ==
      8192);
  const Compiled other(with("resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"));
  CHECK_FALSE(other.settings);
  CHECK(other.errors.toString().find(
            "bootstrap_extensions[0].typed_config: envoy.extensions.resource_monitors.downstream_connections.v3."
            "DownstreamConnectionsConfig is no extension of the bootstrap") != std::string::npos);
}

TEST_CASE("what has no effect here is warned of") {
  const Compiled compiled(
      "admin:\n  profile_path: /tmp/p\nlayered_runtime: {layers: [{name: s, static_layer: {a: 1}}, {name: a, "
      "admin_layer: {}}]}\n");

  REQUIRE(compiled.settings);
  CHECK(compiled.settings->runtime->find("a") != nullptr);
  REQUIRE(compiled.errors.warnings().size() == 2);
  CHECK(
      compiled.errors.warnings()[0].toString() ==
      "f.yaml:2:3: admin.profile_path: there is no profiler in this program; attach one, such as perf, to the process");
  CHECK(compiled.errors.warnings()[1].path == "layered_runtime.layers[1].admin_layer");
}

TEST_CASE("connections are limited by a resource monitor and by runtime keys, however they are nested") {
  const Compiled none("{}");
  CHECK_FALSE(none.settings->connection_limits.process);
  const Compiled compiled(R"(
overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 50000
layered_runtime:
  layers:
  - name: one
    static_layer:
      envoy: {resource_limits: {listener: {a: {connection_limit: 10}, b.c: {connection_limit: 20}}}}
      overload.global_downstream_max_connections: 7
  - name: two
    static_layer: {envoy.resource_limits.listener.a.connection_limit: 11}
)");
  REQUIRE(compiled.errors.toString() == "");
  const ConnectionLimitSettings& limits = compiled.settings->connection_limits;
  CHECK(limits.process == 50000);
  CHECK(limits.by_listener == std::map<std::string, uint32_t>{{"a", 11}, {"b.c", 20}});
  CHECK(Compiled(
            "layered_runtime: {layers: [{name: a, static_layer: {overload: {global_downstream_max_connections: 7}}}]}")
            .settings->connection_limits.process == 7);
}

TEST_CASE("what clusters ask the runtime for may be set there") {
  const std::string upstream = "layered_runtime: {layers: [{name: a, static_layer: {upstream: {";
  const Compiled all(upstream +
                     "healthy_panic_threshold: 30, zone_routing: {enabled: 12.5, min_cluster_size: 3, "
                     "force_local_zone: {min_size: 2}}}}}]}");
  CHECK(all.errors.toString() == "");
  for (const char* value : {"many", "-1", "1e300", "true"}) {
    const Compiled wrong(upstream + "zone_routing: {min_cluster_size: " + std::string(value) + "}}}}]}");
    CHECK(wrong.errors.toString().find(
              "static_layer.upstream.zone_routing.min_cluster_size: has to be a number from") != std::string::npos);
  }
}

TEST_CASE("runtime keys and resource monitors that are not there are refused") {
  const Compiled key("layered_runtime: {layers: [{name: a, static_layer: {health_check: {min_interval: 5}}}]}");
  CHECK(key.errors.toString().find("layers[0].static_layer.health_check.min_interval: no runtime key of this proxy") !=
        std::string::npos);
  for (const char* name : {"maintenance_mode.a", "use_retry", "zone_routing.enable"}) {
    const Compiled upstream("layered_runtime: {layers: [{name: a, static_layer: {upstream." + std::string(name) +
                            ": 5}}]}");
    CHECK(upstream.errors.toString().find(std::string(name) + ": no runtime key of this proxy") != std::string::npos);
  }
  for (const char* value : {"many", "-1", "1.5", "true"}) {
    const Compiled wrong(
        "layered_runtime: {layers: [{name: a, static_layer: {envoy.resource_limits.listener.a."
        "connection_limit: " +
        std::string(value) + "}}]}");
    CHECK(wrong.errors.toString().find("has to be a whole number") != std::string::npos);
  }
  const std::string monitor =
      "{name: m, typed_config: {'@type': type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections."
      "v3.DownstreamConnectionsConfig, max_active_downstream_connections: 1}}";
  const Compiled twice("overload_manager: {resource_monitors: [" + monitor + ", " + monitor + "]}");
  CHECK(twice.errors.toString().find("resource_monitors[1].typed_config: the connections of clients are limited") !=
        std::string::npos);
  const Compiled other(
      "overload_manager: {resource_monitors: [{name: m, typed_config: {'@type': "
      "type.googleapis.com/envoy.config.bootstrap.v3.Admin}}]}");
  CHECK(other.errors.toString().find("is no resource monitor of this proxy") != std::string::npos);
}

TEST_CASE("runtime keys that the configuration names itself hold flags, percentages and fractions") {
  const Compiled compiled(R"(
layered_runtime:
  layers:
  - name: one
    static_layer:
      a: {flag: true, share: {numerator: 5, denominator: MILLION}}
      a.text: "false"
      a.percent: 7
      a.replaced: 1
  - name: two
    static_layer: {a.replaced: 2, a.half: {numerator: 50}, a.third: {numerator: 3, denominator: 1}, upstream.canary: 9}
)");
  REQUIRE(compiled.errors.toString() == "");
  const runtime::Snapshot& runtime = *compiled.settings->runtime;

  CHECK(runtime.flag("a.flag", false) == true);
  CHECK(runtime.flag("a.text", true) == false);
  CHECK(runtime.fraction("a.share", {}) == runtime::Fraction{5, 1'000'000});
  CHECK(runtime.fraction("a.half", {}) == runtime::Fraction{50, 100});
  CHECK(runtime.fraction("a.third", {}) == runtime::Fraction{3, 10'000});
  CHECK(runtime.fraction("a.percent", {}) == runtime::Fraction{7, 100});
  CHECK(runtime.fraction("a.replaced", {}) == runtime::Fraction{2, 100});
  CHECK(runtime.fraction("upstream.canary", {}) == runtime::Fraction{9, 100});
}

TEST_CASE("a runtime value that is none is told at its place") {
  const auto wrong = [](const std::string& value) {
    return Compiled("layered_runtime: {layers: [{name: a, static_layer: {b: " + value + "}}]}").errors.toString();
  };

  CHECK_THAT(wrong("[1]"), Catch::Contains("layers[0].static_layer.b: is no value; write true or false"));
  CHECK_THAT(wrong("{numerator: -1}"), Catch::Contains("static_layer.b.numerator: is no part of a percentage"));
  CHECK_THAT(wrong("{numerator: 1, denominator: TEN}"), Catch::Contains("b.denominator: is no part of a percentage"));
  for (const char* denominator : {"7", "-1", "0.5", "1e300"}) {
    CHECK_THAT(wrong(std::string("{numerator: 1, denominator: ") + denominator + "}"),
               Catch::Contains("b.denominator: is no part of a percentage"));
  }
}

TEST_CASE("a fraction or flag is what its runtime key says, and its default without one") {
  const runtime::Snapshot snapshot({{"share", runtime::Value::ofNumber(7.0)}, {"flag", runtime::Value::ofFlag(true)}});
  envoy::config::core::v3::RuntimeFractionalPercent percent;
  percent.mutable_default_value()->set_numerator(5);
  percent.mutable_default_value()->set_denominator(envoy::type::v3::FractionalPercent::TEN_THOUSAND);
  envoy::config::core::v3::RuntimeFeatureFlag flag;
  CHECK(compileFraction(percent, &snapshot) == runtime::Fraction{5, 10'000});
  CHECK(compileFlag(flag, &snapshot) == false);

  percent.set_runtime_key("share");
  flag.set_runtime_key("flag");

  CHECK(compileFraction(percent, &snapshot) == runtime::Fraction{7, 100});
  CHECK(compileFraction(percent, nullptr) == runtime::Fraction{5, 10'000});
  CHECK(compileFlag(flag, &snapshot) == true);
  CHECK(compileFlag(flag, nullptr) == false);
}

TEST_CASE("a name that two clusters have is refused at the second") {
  const Compiled compiled("static_resources:\n  clusters:\n  - name: a\n  - name: a\n");

  CHECK_FALSE(compiled.settings);
  CHECK(compiled.errors.toString() ==
        "f.yaml:4:5: static_resources.clusters[1].name: \"a\" is the name of clusters[0], too; names of clusters are "
        "unique");
}

TEST_CASE("an address that two listeners have is refused however it is written") {
  const Compiled compiled(
      "static_resources:\n"
      "  listeners:\n"
      "  - {name: a, address: {socket_address: {address: '::1', port_value: 80}}}\n"
      "  - {name: b, address: {socket_address: {address: '0:0::1', port_value: 80}}}\n"
      "  - {name: c, address: {socket_address: {address: '::1', port_value: 0}}}\n"
      "  - {name: d, address: {socket_address: {address: '::1', port_value: 0}}}\n");

  CHECK(compiled.errors.toString() ==
        "f.yaml:4:15: static_resources.listeners[1].address: [::1]:80 is the address of static_resources.listeners[0], "
        "too; "
        "give each its own");
}

TEST_CASE("ads needs its stream described, the stream a cluster and a node") {
  CHECK(Compiled("dynamic_resources: {cds_config: {ads: {}}}")
            .errors.toString()
            .find("dynamic_resources.cds_config.ads: needs "
                  "dynamic_resources.ads_config") != std::string::npos);
  const Compiled no_cluster("dynamic_resources: {ads_config: {" + kAdsConfig + "}}");
  CHECK(no_cluster.errors.toString().find("names the cluster \"xds\", which is not in static_resources.clusters") !=
        std::string::npos);
  CHECK(no_cluster.errors.toString().find("node: needs id and cluster") != std::string::npos);
  CHECK(Compiled("node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: xds, type: EDS}]}\n"
                 "dynamic_resources: {ads_config: {" +
                 kAdsConfig + "}}")
            .errors.toString()
            .find("whose endpoints come from EDS themselves") != std::string::npos);
}

TEST_CASE("load reports need a stream that can be, and a node") {
  const std::string reports = "cluster_manager: {load_stats_config: {" + kAdsConfig + "}}\n";
  const Compiled compiled("node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: xds, type: STATIC}]}\n" +
                          reports);
  REQUIRE(compiled.errors.toString() == "");
  CHECK(compiled.settings->load_reports->cluster == "xds");
  CHECK_FALSE(Compiled("{}").settings->load_reports);
  const Compiled of_no_version(
      "node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: xds, type: STATIC}]}\n"
      "cluster_manager: {load_stats_config: {api_type: GRPC, "
      "grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}\n");
  CHECK(of_no_version.errors.toString() == "");

  const std::string errors = Compiled(reports).errors.toString();
  CHECK(errors.find("cluster_manager.load_stats_config.grpc_services[0].envoy_grpc.cluster_name: names the cluster "
                    "\"xds\", which is not in static_resources.clusters") != std::string::npos);
  CHECK(errors.find("cluster_manager.load_stats_config: needs node.id and node.cluster") != std::string::npos);
  CHECK(Compiled("node: {id: a, cluster: b}\ncluster_manager: {load_stats_config: {api_type: REST}}")
            .errors.toString()
            .find("cluster_manager.load_stats_config.api_type: is no stream") != std::string::npos);
}

TEST_CASE("a server that is polled is a static cluster, with a time between requests") {
  const auto compiled = [](const std::string& source, const std::string& type = "STATIC") {
    return Compiled("node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: xds, type: " + type +
                    "}]}\ndynamic_resources: {cds_config: {api_config_source: {api_type: REST, " + source + "}}}");
  };
  const std::string good = "transport_api_version: V3, cluster_names: [xds], refresh_delay: 5s";
  const Compiled c = compiled(good + ", request_timeout: 0.5s");
  REQUIRE(c.settings);
  CHECK(c.settings->sources.cds->kind == ResourceSource::Kind::kRest);
  CHECK(c.settings->sources.cds->rest.cluster == "xds");
  CHECK(c.settings->sources.cds->rest.refresh_delay == std::chrono::seconds(5));
  CHECK(c.settings->sources.cds->rest.request_timeout == std::chrono::milliseconds(500));
  CHECK(compiled(good).settings->sources.cds->rest.request_timeout == std::chrono::seconds(1));

  const auto says = [](const Compiled& wrong, const std::string& text) {
    CHECK(wrong.errors.toString().find(text) != std::string::npos);
  };
  says(compiled("transport_api_version: V3, cluster_names: [xds]"), "refresh_delay: is needed with REST");
  says(compiled("transport_api_version: V3, cluster_names: [xds], refresh_delay: 0s"), "refresh_delay: is needed");
  says(compiled("transport_api_version: V3, refresh_delay: 5s"), "cluster_names: takes exactly one cluster");
  says(compiled("cluster_names: [xds], refresh_delay: 5s"), "transport_api_version: must be V3");
  says(compiled(good + ", grpc_services: [{envoy_grpc: {cluster_name: xds}}]"), "grpc_services: is for streams");
  says(compiled(good + ", set_node_on_first_message_only: true"), "set_node_on_first_message_only: is for streams");
  says(compiled(good, "EDS"), "whose endpoints come from EDS themselves");
  says(compiled("transport_api_version: V3, cluster_names: [away], refresh_delay: 5s"),
       "cluster_names[0]: names the cluster \"away\"");
}

TEST_CASE("a second service is what a stream falls back on, and is checked as the first") {
  const auto compiled = [](const std::string& second) {
    return Compiled(
        "node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: one}, {name: two}]}\ndynamic_resources: "
        "{ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: one}}, "
        "{envoy_grpc: {cluster_name: " +
        second + "}, initial_metadata: [{key: Token, value: x}]}]}}");
  };
  const Compiled c = compiled("two");
  REQUIRE(c.settings);
  const GrpcSource& ads = *c.settings->sources.ads;
  CHECK(ads.cluster == "one");
  CHECK(ads.initial_metadata.empty());
  REQUIRE(ads.fallback.size() == 1);
  CHECK(ads.fallback[0].cluster == "two");
  CHECK(ads.fallback[0].initial_metadata.size() == 1);

  CHECK(compiled("away").errors.toString().find("grpc_services[1].envoy_grpc.cluster_name: names the cluster") !=
        std::string::npos);
}

TEST_CASE("an aggregated stream by REST, V2, a third service and reserved metadata are refused") {
  const auto first = [](const std::string& source) {
    return Compiled("dynamic_resources: {cds_config: {api_config_source: {" + source + "}}}").errors.toString();
  };

  CHECK(Compiled("dynamic_resources: {ads_config: {api_type: REST, transport_api_version: V3}}")
            .errors.toString()
            .find("api_type: is no stream; write GRPC or DELTA_GRPC") != std::string::npos);
  CHECK(first("api_type: GRPC, cluster_names: [a]").find("cluster_names: is for REST") != std::string::npos);
  CHECK(first("api_type: GRPC").find("transport_api_version: must be V3") != std::string::npos);
  CHECK(
      first("api_type: GRPC, grpc_services: [{}, {}, {}]").find("takes one service, and one to fall back on, has 3") !=
      std::string::npos);
  CHECK(first("api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: a}}, {}]")
            .find("grpc_services[1].envoy_grpc.cluster_name: names no cluster") != std::string::npos);
  CHECK(first("api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: a}, initial_metadata: [{key: grpc-x}]}]")
            .find("\"grpc-x\" is reserved") != std::string::npos);
}

}  // namespace
}  // namespace sluice::config
