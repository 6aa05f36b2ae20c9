#include "source/config/cluster_compiler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/assignment_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/cluster_policies.h"
#include "source/config/connect_options.h"
#include "source/config/format/substitution_format.h"
#include "source/config/health_compiler.h"
#include "source/config/holding.h"
#include "source/config/http1_options.h"
#include "source/config/http2_options.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/preconnect_policy.h"
#include "source/config/redis_options.h"
#include "source/config/registry.h"
#include "source/config/stable_bytes.h"
#include "source/config/transport_matches.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/upstream_filters.h"
#include "source/config/values.h"

namespace sluice::config {

namespace {

using envoy::config::cluster::v3::CircuitBreakers;
using envoy::config::cluster::v3::Cluster;
using envoy::config::cluster::v3::LoadBalancingPolicy;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using upstream::cluster::Assignment;
using upstream::cluster::ClusterConfig;
using upstream::cluster::HealthMask;
using upstream::cluster::maskOf;
using upstream::cluster::Thresholds;
using upstream::cluster::UpstreamHttpConfig;
using upstream::cluster::UpstreamProtocol;

constexpr const char* kSubsets = "envoy.extensions.load_balancing_policies.subset.v3.Subset";
constexpr const char* kHttpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

template <typename Wrapper>
uint32_t valueOr(bool has, const Wrapper& wrapper, uint32_t fallback) {
  return has ? wrapper.value() : fallback;
}

// One use: compiles one cluster.
class ClusterCompiler {
 public:
  ClusterCompiler(const Cluster& proto, const Context& context, Services& services, InitTargets* init)
      : proto_(proto),
        context_(context),
        services_(services),
        holding_(services, init),
        out_(std::make_shared<ClusterConfig>()) {}

  std::shared_ptr<const ClusterConfig> compile() {
    const ErrorMark mark(context_);
    compileNames();
    compileKind();
    compileConnection();
    compileLb();
    compileHostChanges();
    compileBreakers();
    compileHttp();
    compileTransportSocket();
    compilePreconnectPolicy(proto_, context_, *out_);
    out_->health_checks = compileHealthChecks(proto_, context_, services_);
    out_->outlier = compileOutlierDetection(proto_, context_, services_);
    out_->content_hash = clusterContentHash(proto_);
    return !mark.hit() ? holding_.tie(out_) : nullptr;
  }

 private:
  void compileNames() {
    if (proto_.name().empty()) context_.child("name").error("a cluster needs a name");
    out_->name = proto_.name();
    out_->stat_name = proto_.alt_stat_name().empty() ? proto_.name() : proto_.alt_stat_name();
    std::replace(out_->stat_name.begin(), out_->stat_name.end(), ':', '_');
    out_->metadata = metadataOf(proto_.metadata());
  }

  FactoryContext at(const Context& context) const { return holding_.context(context, out_->stat_name); }

  void compileKind() {
    refuseFieldsOfOthers();
    if (proto_.has_cluster_type()) {
      const Context where = context_.child("cluster_type").child("typed_config");
      const auto match = services_.registry.cluster_kinds.resolve(proto_.cluster_type().typed_config(), where);
      if (match) out_->kind = match.factory->compile(*match.config, proto_, at(where), context_);
      return;
    }
    const auto& types = services_.registry.cluster_types;
    if (const auto type = types.find(proto_.type()); type != types.end()) {
      out_->kind = type->second->compile(proto_, at(context_));
      return;
    }
    std::string known;
    for (const auto& [type, factory] : types) absl::StrAppend(&known, known.empty() ? "" : ", ", nameOfType(type));
    context_.child("type").error(absl::StrCat(nameOfType(proto_.type()), " is not supported yet; use one of: ", known));
  }

  static std::string nameOfType(int type) {
    const std::string& name = Cluster::DiscoveryType_Name(type);
    return name.empty() ? absl::StrCat("type ", type) : name;
  }

  void refuseFieldsOfOthers() {
    const bool by_type = !proto_.has_cluster_type();
    if (proto_.has_eds_cluster_config() && !(by_type && proto_.type() == Cluster::EDS)) {
      context_.child("eds_cluster_config")
          .error("only a cluster of type EDS may have eds_cluster_config; set type: EDS");
    }
    if (proto_.has_original_dst_lb_config() && !(by_type && proto_.type() == Cluster::ORIGINAL_DST)) {
      context_.child("original_dst_lb_config").error("only a cluster of type ORIGINAL_DST may have it");
    }
  }

  void compileConnection() {
    if (proto_.has_connect_timeout()) out_->connect_timeout = compileMilliseconds(proto_.connect_timeout());
    if (out_->connect_timeout.count() == 0) {
      context_.child("connect_timeout").error("the connect timeout must be above 0");
    }
    if (proto_.has_per_connection_buffer_limit_bytes()) {
      out_->per_connection_buffer_limit = proto_.per_connection_buffer_limit_bytes().value();
    }
    out_->connect = compileConnectOptions(proto_, context_, services_);
    out_->lb.hosts.families = compileFamilyOrder(proto_, context_);
  }

  void compileLb() {
    const Cluster::CommonLbConfig& common = proto_.common_lb_config();
    if (common.has_healthy_panic_threshold()) {
      out_->lb.hosts.panic_threshold = common.healthy_panic_threshold().value();
    }
    if (services_.runtime != nullptr) {
      double& threshold = out_->lb.hosts.panic_threshold;
      threshold = std::clamp(services_.runtime->number("upstream.healthy_panic_threshold", threshold), 0.0, 100.0);
    }
    compileWantedHealth();
    out_->lb.hosts.locality_weighted = common.has_locality_weighted_lb_config();
    out_->lb.hosts.fail_on_panic = common.zone_aware_lb_config().fail_traffic_on_panic();
    warnOfUnusedLbConfig();
    if (out_->kind && out_->kind->policy()) {
      out_->lb.policy = out_->kind->policy();
      if (proto_.lb_policy() != Cluster::CLUSTER_PROVIDED) {
        const std::string type = proto_.has_cluster_type() ? proto_.cluster_type().name() : nameOfType(proto_.type());
        context_.child("lb_policy").error(absl::StrCat("a cluster of type ", type, " needs CLUSTER_PROVIDED"));
      }
      if (proto_.has_load_balancing_policy()) {
        context_.child("load_balancing_policy").error("a cluster of this kind chooses its hosts itself");
      }
      if (proto_.has_lb_subset_config()) {
        context_.child("lb_subset_config").error("a cluster of this kind chooses its hosts itself");
      }
    } else if (proto_.has_load_balancing_policy() || proto_.lb_policy() == Cluster::LOAD_BALANCING_POLICY_CONFIG) {
      compilePolicies(proto_.load_balancing_policy(), context_.child("load_balancing_policy"));
    } else {
      compileLegacyPolicy(context_.child("lb_policy"));
    }
    if (!out_->lb.policy) return;
    out_->lb.hosts.zones = out_->lb.policy->zoneAware();
    const auto& zones = common.zone_aware_lb_config();
    if (!out_->lb.hosts.zones && (zones.has_routing_enabled() || zones.has_min_cluster_size())) {
      context_.child("common_lb_config")
          .child("zone_aware_lb_config")
          .warn("only fail_traffic_on_panic is used: this policy does not route by zones");
    }
  }

  // (proto: CommonLbConfig.override_host_status)
  void compileWantedHealth() {
    using envoy::config::core::v3::HealthStatus;
    const Cluster::CommonLbConfig& common = proto_.common_lb_config();
    if (!common.has_override_host_status()) return;
    HealthMask mask = 0;
    bool unknown = false, healthy = false;
    for (const int status : common.override_host_status().statuses()) {
      mask |= maskOf(healthOf(static_cast<HealthStatus>(status)));
      unknown |= status == HealthStatus::UNKNOWN;
      healthy |= status == HealthStatus::HEALTHY;
    }
    out_->lb.hosts.wanted_health = mask;
    if (unknown != healthy) {
      context_.child("common_lb_config")
          .child("override_host_status")
          .error(
              "a host that is not said to be well and one that is are not told apart; name both UNKNOWN and HEALTHY, "
              "or neither");
    }
  }

  void compileHostChanges() {
    const Cluster::CommonLbConfig& common = proto_.common_lb_config();
    out_->lb.hosts.exclude_unchecked = common.ignore_new_hosts_until_first_hc();
    if (common.has_update_merge_window()) {
      out_->host_changes.merge_window = compileMilliseconds(common.update_merge_window());
    } else if (services_.defaults == Defaults::kEnvoy) {
      out_->host_changes.merge_window = std::chrono::seconds(1);
    }
    out_->host_changes.close_on_change = common.close_connections_on_host_set_change();
    out_->host_changes.ignore_health_on_removal = proto_.ignore_health_on_host_removal();
    out_->host_changes.close_on_failure = proto_.close_connections_on_host_health_failure();
  }

  void warnOfUnusedLbConfig() {
    const struct {
      bool set;
      const char* field;
      Cluster::LbPolicy policy;
    } configs[] = {
        {proto_.has_least_request_lb_config(), "least_request_lb_config", Cluster::LEAST_REQUEST},
        {proto_.has_ring_hash_lb_config(), "ring_hash_lb_config", Cluster::RING_HASH},
        {proto_.has_maglev_lb_config(), "maglev_lb_config", Cluster::MAGLEV},
        {proto_.has_round_robin_lb_config(), "round_robin_lb_config", Cluster::ROUND_ROBIN},
    };
    for (const auto& [set, field, policy] : configs) {
      if (!set || proto_.lb_policy() == policy) continue;
      context_.child(field).warn(absl::StrCat("not used: lb_policy is not ", Cluster::LbPolicy_Name(policy)));
    }
  }

  // The first that is known counts.
  void compilePolicies(const LoadBalancingPolicy& list, const Context& context) {
    if (proto_.common_lb_config().has_locality_weighted_lb_config()) {
      context_.child("common_lb_config")
          .child("locality_weighted_lb_config")
          .error("does not go with load_balancing_policy; set locality_lb_config of the policy");
    }
    if (proto_.common_lb_config().has_zone_aware_lb_config()) {
      context_.child("common_lb_config")
          .child("zone_aware_lb_config")
          .error("does not go with load_balancing_policy; set locality_lb_config of the policy");
    }
    if (proto_.lb_policy() != Cluster::ROUND_ROBIN && proto_.lb_policy() != Cluster::LOAD_BALANCING_POLICY_CONFIG) {
      context_.child("lb_policy").warn("is not used beside load_balancing_policy; remove it");
    }
    out_->lb.policy = compileLbPolicies(list, at(context));
    out_->lb.hosts.fail_on_panic = out_->lb.policy && out_->lb.policy->failsOnPanic();
    out_->lb.hosts.locality_weighted = out_->lb.policy && out_->lb.policy->localityWeighted();
    if (proto_.has_lb_subset_config()) {
      context_.child("lb_subset_config")
          .error("does not go with load_balancing_policy; put a Subset into its policies");
    }
  }

  void compileLegacyPolicy(const Context& context) {
    const auto& table = services_.registry.lb_policies;
    std::string known;
    for (const std::string_view type : table.configTypes()) {
      const LbPolicyFactory& factory = *table.find(type);
      if (!factory.legacyName()) continue;
      if (*factory.legacyName() == proto_.lb_policy()) {
        out_->lb.policy = factory.compileLegacy(proto_, at(context_));
        compileSubsets();
        return;
      }
      absl::StrAppend(&known, known.empty() ? "" : ", ", Cluster::LbPolicy_Name(*factory.legacyName()));
    }
    if (proto_.lb_policy() == Cluster::CLUSTER_PROVIDED) {
      if (proto_.has_cluster_type() && !out_->kind) return;  // what is wrong of it has been said
      return context.error(
          "CLUSTER_PROVIDED goes with type ORIGINAL_DST, or with a cluster_type that chooses its hosts itself");
    }
    context.error(
        absl::StrCat(Cluster::LbPolicy_Name(proto_.lb_policy()), " is not supported yet; use one of: ", known));
  }

  void compileSubsets() {
    if (proto_.lb_subset_config().subset_selectors().empty() || !out_->lb.policy) return;
    out_->lb.hosts.locality_weighted &= proto_.lb_subset_config().locality_weight_aware();
    const LbPolicyFactory* subsets = services_.registry.lb_policies.find(kSubsets);
    if (subsets == nullptr) return context_.child("lb_subset_config").error("this program has no policy for subsets");
    out_->lb.policy = subsets->wrapLegacy(proto_, out_->lb.policy, at(context_));
  }

  void compileBreakers() {
    bool seen[upstream::cluster::kRoutingPriorities] = {};
    bool limits_retries[upstream::cluster::kRoutingPriorities] = {};
    const CircuitBreakers& breakers = proto_.circuit_breakers();
    for (int i = 0; i < breakers.thresholds_size(); ++i) {
      const CircuitBreakers::Thresholds& proto = breakers.thresholds(i);
      const Context at = context_.child("circuit_breakers").child("thresholds", static_cast<size_t>(i));
      const auto priority = static_cast<size_t>(proto.priority());
      if (priority >= upstream::cluster::kRoutingPriorities) {
        at.child("priority").error("the priority must be DEFAULT or HIGH");
        continue;
      }
      if (std::exchange(seen[priority], true)) {
        at.warn("not used: earlier thresholds of the same priority apply");
        continue;
      }
      Thresholds& out = out_->thresholds[priority];
      out.max_connections = valueOr(proto.has_max_connections(), proto.max_connections(), out.max_connections);
      out.max_pending_requests =
          valueOr(proto.has_max_pending_requests(), proto.max_pending_requests(), out.max_pending_requests);
      out.max_requests = valueOr(proto.has_max_requests(), proto.max_requests(), out.max_requests);
      out.max_retries = valueOr(proto.has_max_retries(), proto.max_retries(), out.max_retries);
      out.track_remaining = proto.track_remaining();
      limits_retries[priority] = proto.has_max_retries() || proto.has_retry_budget();
      if (proto.has_retry_budget()) compileRetryBudget(proto, at, out.retry_budget.emplace());
    }
    compileHostLimits();
    if (services_.defaults != Defaults::kEdge) return;
    for (size_t i = 0; i < upstream::cluster::kRoutingPriorities; ++i) {
      if (!limits_retries[i]) out_->thresholds[i].retry_budget.emplace();
    }
  }

  // (proto: CircuitBreakers.per_host_thresholds)
  void compileHostLimits() {
    bool seen[upstream::cluster::kRoutingPriorities] = {};
    const CircuitBreakers& breakers = proto_.circuit_breakers();
    for (int i = 0; i < breakers.per_host_thresholds_size(); ++i) {
      const CircuitBreakers::Thresholds& proto = breakers.per_host_thresholds(i);
      const Context at = context_.child("circuit_breakers").child("per_host_thresholds", static_cast<size_t>(i));
      const auto priority = static_cast<size_t>(proto.priority());
      if (proto.has_max_pending_requests() || proto.has_max_requests() || proto.has_max_retries() ||
          proto.has_retry_budget() || proto.track_remaining()) {
        at.error("a host has a limit of connections only; set max_connections and nothing else");
      }
      if (priority >= upstream::cluster::kRoutingPriorities) {
        at.child("priority").error("the priority must be DEFAULT or HIGH");
      } else if (std::exchange(seen[priority], true)) {
        at.warn("not used: earlier thresholds of the same priority apply");
      } else if (proto.has_max_connections()) {
        out_->host_connections[priority] = proto.max_connections().value();
      }
    }
  }

  static void compileRetryBudget(const CircuitBreakers::Thresholds& proto, const Context& context,
                                 upstream::cluster::RetryBudget& out) {
    const CircuitBreakers::Thresholds::RetryBudget& budget = proto.retry_budget();
    if (budget.has_budget_percent()) out.percent = budget.budget_percent().value();
    out.min_concurrency =
        valueOr(budget.has_min_retry_concurrency(), budget.min_retry_concurrency(), out.min_concurrency);
    if (proto.has_max_retries()) context.child("max_retries").warn("not used: retry_budget limits retries");
  }

  void compileHttp() {
    const auto& typed = proto_.typed_extension_protocol_options();
    bool has_typed = false;
    for (const auto& [key, any] : typed) {
      const Context at = context_.entry("typed_extension_protocol_options", key);
      if (key == kRedisOptionsKey) {
        out_->redis_auth = compileRedisOptions(any, at);
        continue;
      }
      if (key != kHttpOptionsKey) {
        at.error(base::strCat("only the keys ", kHttpOptionsKey, " and ", kRedisOptionsKey, " are supported"));
        continue;
      }
      has_typed = true;
      const auto message = unpackAny(any, at);
      if (message == nullptr) continue;
      const auto* options = dynamic_cast<const HttpProtocolOptions*>(message.get());
      if (options == nullptr) {
        at.error(absl::StrCat("the type must be ", kHttpOptionsKey, ", not ", message->GetTypeName()));
        continue;
      }
      compileHttpOptions(*options, at);
    }
    compileOldHttpFields(has_typed);
    if (out_->kind && out_->kind->dnsCache() != nullptr) verifyNames(has_typed);
  }

  // Of hosts that clients name. (proto: clusters.dynamic_forward_proxy.v3.ClusterConfig.allow_insecure_cluster_options)
  void verifyNames(bool has_typed) {
    UpstreamHttpConfig& http = out_->http;
    if (!has_typed) http.auto_sni = http.auto_san_validation = true;
    if (!out_->kind->verifiesNames() || (http.auto_sni && http.auto_san_validation)) return;
    context_.entry("typed_extension_protocol_options", kHttpOptionsKey)
        .error(
            "hosts that clients name have to be verified by that name: set auto_sni and auto_san_validation of "
            "upstream_http_protocol_options, or allow_insecure_cluster_options of the cluster");
  }

  void compileTransportSocket() {
    const bool automatic = out_->http.protocol == UpstreamProtocol::kAuto;
    if (automatic && !proto_.has_transport_socket()) {
      context_.child("transport_socket")
          .error(
              "auto_config lets the upstream choose by ALPN, which needs TLS; add a TLS transport_socket, or use "
              "explicit_http_config");
    }
    out_->transport_matches = compileTransportMatches(
        proto_, automatic ? "auto_config lets the upstream choose by ALPN, which needs TLS" : "", at(context_));
    if (!proto_.has_transport_socket()) return;
    out_->transport =
        compileTransport(proto_.transport_socket(), TransportSide::kUpstream, at(context_.child("transport_socket")));
    if (automatic && out_->transport && !out_->transport->isTls()) {
      context_.child("transport_socket").error("auto_config lets the upstream choose by ALPN, which needs TLS");
    }
  }

  void compileHttpOptions(const HttpProtocolOptions& options, const Context& context) {
    switch (options.upstream_protocol_options_case()) {
      case HttpProtocolOptions::kExplicitHttpConfig:
        compileExplicit(options.explicit_http_config(), context.child("explicit_http_config"));
        break;
      case HttpProtocolOptions::kUseDownstreamProtocolConfig:
        compileBoth(options.use_downstream_protocol_config(), context.child("use_downstream_protocol_config"));
        out_->http.protocol = UpstreamProtocol::kDownstream;
        break;
      case HttpProtocolOptions::kAutoConfig:
        compileBoth(options.auto_config(), context.child("auto_config"));
        out_->http.protocol = UpstreamProtocol::kAuto;
        break;
      default:
        context.error(
            "say which protocol the upstream speaks: explicit_http_config, auto_config or "
            "use_downstream_protocol_config");
    }
    compileCommonHttp(options.common_http_protocol_options(), context.child("common_http_protocol_options"));
    const auto& upstream = options.upstream_http_protocol_options();
    out_->http.auto_sni = upstream.auto_sni();
    out_->http.auto_san_validation = upstream.auto_san_validation();
    out_->http.override_auto_sni_header = absl::AsciiStrToLower(upstream.override_auto_sni_header());
    out_->request_policies = compileRequestPolicies(
        options, holding_.context(context, out_->stat_name, absl::StrCat("cluster '", out_->name, "'/policies")));
    out_->http_filters =
        compileUpstreamFilters(options.http_filters(), "http_filters",
                               holding_.context(context, absl::StrCat("cluster.", out_->stat_name, "."),
                                                absl::StrCat("cluster '", out_->name, "'")));
  }

  void compileExplicit(const HttpProtocolOptions::ExplicitHttpConfig& config, const Context& context) {
    if (config.has_http_protocol_options()) {
      compileHttp1(config.http_protocol_options(), context.child("http_protocol_options"));
    } else if (config.has_http2_protocol_options()) {
      compileHttp2(config.http2_protocol_options(), context.child("http2_protocol_options"));
    } else {
      context.error("say which protocol the upstream speaks: http_protocol_options or http2_protocol_options");
    }
  }

  // Either protocol may be spoken.
  template <typename Config>
  void compileBoth(const Config& config, const Context& context) {
    compileHttp1(config.http_protocol_options(), context.child("http_protocol_options"));
    compileHttp2(config.http2_protocol_options(), context.child("http2_protocol_options"));
  }

  // The fields of before HttpProtocolOptions; not used if that is there.
  void compileOldHttpFields(bool has_typed) {
    const std::pair<bool, const char*> fields[] = {
        {proto_.has_http_protocol_options(), "http_protocol_options"},
        {proto_.has_http2_protocol_options(), "http2_protocol_options"},
        {proto_.has_common_http_protocol_options(), "common_http_protocol_options"},
    };
    if (has_typed) {
      for (const auto& [set, field] : fields) {
        if (set) context_.child(field).warn("not used: typed_extension_protocol_options says how to speak HTTP");
      }
    } else {
      if (proto_.has_http_protocol_options() && proto_.has_http2_protocol_options()) {
        context_.child("http2_protocol_options").error("set http_protocol_options or http2_protocol_options, not both");
      }
      if (proto_.has_http_protocol_options()) {
        compileHttp1(proto_.http_protocol_options(), context_.child("http_protocol_options"));
      }
      if (proto_.has_http2_protocol_options()) {
        compileHttp2(proto_.http2_protocol_options(), context_.child("http2_protocol_options"));
      }
      compileCommonHttp(proto_.common_http_protocol_options(), context_.child("common_http_protocol_options"));
    }
    if (proto_.has_max_requests_per_connection() && out_->http.max_requests_per_connection == 0) {
      out_->http.max_requests_per_connection = proto_.max_requests_per_connection().value();
    }
  }

  void compileHttp1(const envoy::config::core::v3::Http1ProtocolOptions& options, const Context& context) {
    out_->http.enable_trailers = options.enable_trailers();
    out_->http.allow_chunked_length = options.allow_chunked_length();
    out_->http.name_case = compileNameCase(options, context);
    out_->http.absolute_target = options.send_fully_qualified_url();
    const std::pair<bool, const char*> downstream_only[] = {
        {options.has_allow_absolute_url(), "allow_absolute_url"},
        {options.accept_http_10(), "accept_http_10"},
        {!options.default_host_for_http_10().empty(), "default_host_for_http_10"},
        {options.ignore_http_11_upgrade_size() > 0, "ignore_http_11_upgrade"},
    };
    for (const auto& [set, field] : downstream_only) {
      if (set) context.child(field).warn("not used: it is about requests of clients, this is a cluster");
    }
  }

  void compileHttp2(const envoy::config::core::v3::Http2ProtocolOptions& options, const Context& context) {
    if (options.has_override_stream_error_on_invalid_http_message() ||
        options.stream_error_on_invalid_http_messaging()) {
      context.child("override_stream_error_on_invalid_http_message")
          .warn("not used: a message of a host that breaks a rule ends its stream only");
    }
    out_->http.protocol = UpstreamProtocol::kHttp2;
    const bool edge = services_.defaults == Defaults::kEdge;
    const Http2Options http2 = compileHttp2Options(options, !edge, context);
    out_->http.http2 = http2.settings;
    out_->http.http2_keepalive_interval = http2.keepalive_interval;
    out_->http.http2_keepalive_timeout = http2.keepalive_timeout;
    out_->http.http2_idle_interval = http2.keepalive_idle_interval;
    out_->http.http2_keepalive_jitter_percent = http2.keepalive_jitter_percent;
    if (options.has_max_concurrent_streams()) {
      out_->http.max_concurrent_streams = options.max_concurrent_streams().value();
    } else if (!edge) {
      out_->http.max_concurrent_streams = http2.settings.max_concurrent_streams;
    }
  }

  void compileCommonHttp(const envoy::config::core::v3::HttpProtocolOptions& options, const Context& context) {
    UpstreamHttpConfig& http = out_->http;
    if (options.has_idle_timeout()) http.idle_timeout = compileMilliseconds(options.idle_timeout());
    if (options.has_max_connection_duration()) {
      http.max_connection_duration = compileMilliseconds(options.max_connection_duration());
    }
    http.max_connection_duration_jitter = options.max_connection_duration_jitter().value() / 100;
    if (options.has_max_response_headers_kb()) http.max_header_bytes = options.max_response_headers_kb().value() * 1024;
    http.max_headers_count =
        valueOr(options.has_max_headers_count(), options.max_headers_count(), http.max_headers_count);
    http.max_requests_per_connection = options.max_requests_per_connection().value();
    if (options.has_max_stream_duration()) {
      http.max_stream_duration = compileMilliseconds(options.max_stream_duration());
    }
    if (options.headers_with_underscores_action() != envoy::config::core::v3::HttpProtocolOptions::ALLOW) {
      context.child("headers_with_underscores_action")
          .warn("not used: it is about requests of clients, this is a cluster");
    }
  }

  const Cluster& proto_;
  const Context& context_;
  Services& services_;
  Holding holding_;
  const std::shared_ptr<ClusterConfig> out_;
};

}  // namespace

std::shared_ptr<const ClusterConfig> compileCluster(const Cluster& cluster, const Context& context, Services& services,
                                                    InitTargets* init) {
  return ClusterCompiler(cluster, context, services, init).compile();
}

std::optional<Assignment> compileEdsAssignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
                                               std::string_view service_name, const Context& context) {
  const ErrorMark mark(context);
  if (assignment.cluster_name() != service_name) {
    context.child("cluster_name")
        .error(absl::StrCat("'", assignment.cluster_name(), "' is not the name that was asked for, '",
                            absl::string_view(service_name.data(), service_name.size()), "'"));
  }
  Assignment out = compileAssignment(assignment, EndpointNames::kAddressesOnly, context);
  if (mark.hit()) return std::nullopt;
  return out;
}

uint64_t clusterContentHash(const Cluster& cluster) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char byte : stableBytes(cluster)) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return hash;
}

}  // namespace sluice::config
