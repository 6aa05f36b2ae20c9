#include "source/config/route_compiler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/host_port.h"
#include "source/config/any_type.h"
#include "source/config/cluster_specifiers.h"
#include "source/config/cors_policy.h"
#include "source/config/format/substitution_format.h"
#include "source/config/hash_policies.h"
#include "source/config/metadata_match.h"
#include "source/config/mirror_policies.h"
#include "source/config/rate_limits.h"
#include "source/config/route_fingerprint.h"
#include "source/config/route_match.h"
#include "source/config/route_mutations.h"
#include "source/config/route_texts.h"
#include "source/config/route_trees.h"
#include "source/config/sticky_split.h"
#include "source/config/target_rewrites.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
using google::protobuf::Any;

constexpr std::chrono::milliseconds kDefaultRouteTimeout{15'000};  // proto: RouteAction.timeout
constexpr uint32_t kDefaultDirectResponseBody = 4096;              // proto: max_direct_response_body_size_bytes

using ClusterTreeConfig = envoy::extensions::router::cluster_specifiers::matcher::v3::MatcherClusterSpecifier;
using ClusterWeight = v3::WeightedCluster::ClusterWeight;
using Level = route::SettingsLevel::Kind;
using TypedConfigs = google::protobuf::Map<std::string, Any>;

class RouteCompiler {
 public:
  RouteCompiler(const v3::RouteConfiguration& config, const Context& context, const RouteCompilerDeps& deps)
      : config_(config), context_(context), deps_(deps) {}

  std::shared_ptr<const route::Table> compile() {
    const ErrorMark mark(context_);
    route::TableSpec spec;
    spec.name = config_.name();
    spec.most_specific_header_mutations_wins = config_.most_specific_header_mutations_wins();
    spec.ignore_port_in_host_matching = config_.ignore_port_in_host_matching();
    spec.hosts_on_demand = config_.has_vhds();
    spec.ignore_path_parameters = config_.ignore_path_parameters_in_path_matching();
    spec.vhost_header = vhostHeader();
    spec.mutations = compileMutations(config_, context_);
    spec.metadata = metadataOf(config_.metadata());
    spec.internal_only_headers = internalOnlyHeaders();
    spec.per_filter = perFilter(config_.typed_per_filter_config(), {Level::kTable, config_.name()}, context_);
    mirrors_ = mirrors(config_.request_mirror_policies(), context_, nullptr);
    fingerprint_ = fingerprintOf(config_);
    plugins_.emplace(config_, context_, [this](const v3::ClusterSpecifierPlugin& plugin, const Context& at) {
      route::ForwardSpec checked;
      clusterPlugin(plugin, at, checked);
    });
    std::unordered_map<std::string_view, int> first_of_name;
    for (int i = 0; i < config_.virtual_hosts_size(); ++i) {
      const Context at = context_.child("virtual_hosts", static_cast<size_t>(i));
      const std::string& name = config_.virtual_hosts(i).name();
      const auto [first, is_new] = first_of_name.try_emplace(name, i);
      if (!is_new) {
        at.child("name").error(absl::StrCat("\"", name, "\" is the name of virtual_hosts[", first->second,
                                            "], too; stats and logs need a name for each"));
      }
      spec.virtual_hosts.push_back(virtualHost(config_.virtual_hosts(i), at));
    }
    if (mark.hit()) return nullptr;
    auto table = route::Table::build(std::move(spec));
    if (table.ok()) return *std::move(table);
    context_.error(std::string(table.status().message()));
    return nullptr;
  }

 private:
  route::VirtualHostSpec virtualHost(const v3::VirtualHost& host, const Context& context) {
    route::VirtualHostSpec out;
    out.name = host.name();
    if (host.domains().empty()) context.child("domains").error("needs at least one domain; \"*\" takes every host");
    for (int i = 0; i < host.domains_size(); ++i) {
      domain(host, host.domains(i), context.child("domains", static_cast<size_t>(i)));
      out.domains.push_back(host.domains(i));
    }
    out.mutations = compileMutations(host, context);
    out.metadata = metadataOf(host.metadata());
    out.require_tls = tlsRequirement(host.require_tls(), context.child("require_tls"));
    out.per_filter = perFilter(host.typed_per_filter_config(), {Level::kVirtualHost, host.name()}, context);
    if (host.has_cors()) addCors(out.per_filter, host.cors(), context.child("cors"));
    const auto limits = std::make_shared<const route::RateLimitList>(
        compileRateLimits(host.rate_limits(), "rate_limits", context, regexes_, deps_.runtime, deps_.compile_input));
    if (!limits->empty()) addRateLimits(out.per_filter, {}, limits, false);
    out.attempt_headers = {.count_in_request = host.include_request_attempt_count(),
                           .count_in_response = host.include_attempt_count_in_response(),
                           .is_timeout_retry = host.include_is_timeout_retry_header()};
    out.virtual_clusters = compileVirtualClusters(host, context, regexes_, deps_.request_stats);
    const auto policy = host.has_retry_policy() ? retryPolicy(host.retry_policy(), context) : nullptr;
    const bool hedges = hedging(host, policy.get(), context.child("hedge_policy"));
    const auto mirrors_of_host = mirrors(host.request_mirror_policies(), context, mirrors_);
    const uint64_t fingerprint = fingerprintOf(host, fingerprint_);
    const auto add = [&](const v3::Route& config, const Context& at) {
      out.routes.push_back(route(config, at));
      out.routes.back().fingerprint = fingerprintOf(config, fingerprint);
      out.routes.back().stats = requestStats(deps_.request_stats, host.name(), "route", config.stat_prefix());
      const v3::RouteAction& action = config.route();
      if (auto* forward = std::get_if<route::ForwardSpec>(&out.routes.back().action)) {
        retries(host, config, policy, at, *forward);
        hedging(action, hedges, at, *forward);
        forward->mirrors = mirrors(action.request_mirror_policies(), at.child("route"), mirrors_of_host);
      }
      if (action.has_cors()) addCors(out.routes.back().per_filter, action.cors(), at.child("route").child("cors"));
      if (action.rate_limits().empty()) return;  // the host's stand
      addRateLimits(out.routes.back().per_filter,
                    compileRateLimits(action.rate_limits(), "rate_limits", at.child("route"), regexes_, deps_.runtime,
                                      deps_.compile_input),
                    limits, action.include_vh_rate_limits().value());
    };
    out.routes.reserve(static_cast<size_t>(host.routes_size()));
    for (int i = 0; i < host.routes_size(); ++i) add(host.routes(i), context.child("routes", static_cast<size_t>(i)));
    if (host.has_matcher()) compileRouteTree(host, context, deps_.compile_matcher, add, out);
    return out;
  }

  std::vector<std::string> internalOnlyHeaders() const {
    std::vector<std::string> out;
    for (int i = 0; i < config_.internal_only_headers_size(); ++i) {
      const std::string name = absl::AsciiStrToLower(config_.internal_only_headers(i));
      if (!isToken(name)) {
        context_.child("internal_only_headers", static_cast<size_t>(i))
            .error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
      }
      out.push_back(name);
    }
    return out;
  }

  static route::TlsRequirement tlsRequirement(v3::VirtualHost::TlsRequirementType type, const Context& context) {
    switch (type) {
      case v3::VirtualHost::NONE:
        return route::TlsRequirement::kNone;
      case v3::VirtualHost::EXTERNAL_ONLY:
        return route::TlsRequirement::kExternalOnly;
      case v3::VirtualHost::ALL:
        return route::TlsRequirement::kAll;
      default:
        context.error("is no value of its enum");
        return route::TlsRequirement::kAll;
    }
  }

  std::shared_ptr<const route::RetryPolicy> retryPolicy(const v3::RetryPolicy& config, const Context& context) {
    return compileRetryPolicy(config, context.child("retry_policy"), regexes_, deps_.retry_extensions);
  }

  // A route's policy replaces that of its host. `context` stands at the route.
  void retries(const v3::VirtualHost& host, const v3::Route& config,
               const std::shared_ptr<const route::RetryPolicy>& of_host, const Context& context,
               route::ForwardSpec& out) {
    const v3::RouteAction& action = config.route();
    const Context at = context.child("route");
    out.retry_policy = action.has_retry_policy() ? retryPolicy(action.retry_policy(), at) : of_host;
    out.request_buffer_limit = bufferLimit(host, config);
    const std::chrono::milliseconds timeout = timeoutOf(out);
    if (action.has_retry_policy()) {
      checkTryTimeout(*out.retry_policy, timeout, at.child("retry_policy"));
    } else if (of_host && action.has_timeout()) {
      checkTryTimeout(*of_host, timeout, at.child("timeout"));
    }
  }

  // The newer field of either level stands before the older ones. No body of 4 GiB is kept, whatever it says.
  static std::optional<uint32_t> bufferLimit(const v3::VirtualHost& host, const v3::Route& config) {
    const auto capped = [](uint64_t bytes) { return static_cast<uint32_t>(std::min<uint64_t>(bytes, UINT32_MAX)); };
    if (config.has_request_body_buffer_limit()) return capped(config.request_body_buffer_limit().value());
    if (host.has_request_body_buffer_limit()) return capped(host.request_body_buffer_limit().value());
    if (config.has_per_request_buffer_limit_bytes()) return config.per_request_buffer_limit_bytes().value();
    if (host.has_per_request_buffer_limit_bytes()) return host.per_request_buffer_limit_bytes().value();
    return std::nullopt;
  }

  // Of a host. What its routes say of retries is theirs, unless they say nothing. `context` stands at its hedge_policy.
  static bool hedging(const v3::VirtualHost& host, const route::RetryPolicy* policy, const Context& context) {
    if (!compileHedgePolicy(host.hedge_policy(), context)) return false;
    const auto& routes = host.routes();
    const auto retries = [](const v3::Route& route) { return route.route().has_retry_policy(); };
    const bool routes_may = host.has_matcher() || std::any_of(routes.begin(), routes.end(), retries);
    if (policy != nullptr || !routes_may) {
      checkHedging(policy, kDefaultRouteTimeout, context);
    }
    return true;
  }

  // A route's policy replaces that of its host. `context` stands at the route.
  static void hedging(const v3::RouteAction& action, bool of_host, const Context& context, route::ForwardSpec& out) {
    const Context at = context.child("route").child("hedge_policy");
    out.hedge_on_per_try_timeout = of_host;
    if (!action.has_hedge_policy()) return;
    out.hedge_on_per_try_timeout = compileHedgePolicy(action.hedge_policy(), at);
    if (out.hedge_on_per_try_timeout) checkHedging(out.retry_policy.get(), timeoutOf(out), at);
  }

  static std::chrono::milliseconds timeoutOf(const route::ForwardSpec& forward) {
    const bool by_default = !forward.timeout && !forward.max_stream_duration;
    return forward.timeout.value_or(by_default ? kDefaultRouteTimeout : std::chrono::milliseconds(0));
  }

  // Policies replace those of the level above, which are `above`; null: none.
  std::shared_ptr<const route::MirrorPolicies> mirrors(
      const google::protobuf::RepeatedPtrField<v3::RouteAction::RequestMirrorPolicy>& policies, const Context& context,
      const std::shared_ptr<const route::MirrorPolicies>& above) {
    if (policies.empty()) return above;
    const auto named = [this](const std::string& name, const Context& at) { return cluster(name, at); };
    return compileMirrorPolicies(policies, context, named, deps_.runtime);
  }

  void addCors(route::PerFilterSpec& out, const v3::CorsPolicy& policy, const Context& context) {
    out.emplace_back(deps_.filter_slots.slotOf(route::kCorsSlot),
                     compileCorsPolicy(policy, context, regexes_, deps_.runtime));
  }

  // They find their filter as its own settings would.
  void addRateLimits(route::PerFilterSpec& out, route::RateLimitList of_route,
                     std::shared_ptr<const route::RateLimitList> of_host, bool include_host) {
    auto limits = std::make_shared<route::RouteRateLimits>();
    limits->of_route = std::move(of_route);
    limits->of_host = std::move(of_host);
    limits->include_host = include_host;
    out.emplace_back(deps_.filter_slots.slotOf(route::kRateLimitsSlot), std::move(limits));
  }

  void domain(const v3::VirtualHost& host, const std::string& domain, const Context& context) {
    if (!checkDomain(domain, context)) return;
    const auto [other, added] = domains_.emplace(absl::AsciiStrToLower(domain), host.name());
    if (!added) {
      context.error(absl::StrCat("\"", domain, "\" of virtual host \"", host.name(), "\" belongs to virtual host \"",
                                 other->second, "\" already; a domain may stand once in a route configuration"));
    }
    if (config_.ignore_port_in_host_matching() && base::splitHostPort(domain).has_port) {
      context.warn(absl::StrCat("\"", domain,
                                "\" has a port and ignore_port_in_host_matching takes ports off the host ",
                                "before it is compared, so no request matches it; drop the port"));
    }
  }

  // In lower case; empty: none.
  std::string vhostHeader() {
    if (config_.vhost_header().empty()) return {};
    const std::string lower = absl::AsciiStrToLower(config_.vhost_header());
    checkMatchedHeader(lower, context_.child("vhost_header"));
    return std::string(match::storedName(lower));
  }

  route::RouteSpec route(const v3::Route& config, const Context& context) {
    route::RouteSpec out;
    out.name = config.name();
    compileRouteMatch(config, context, regexes_, deps_.runtime, out);
    checkParameters(out, context.child("match"));
    switch (config.action_case()) {
      case v3::Route::kRoute: {
        route::ForwardSpec action = forward(config.route(), context.child("route"));
        if (auto rewrite = compilePathRewritePolicy(config, context)) action.regex_rewrite = std::move(rewrite);
        out.action = std::move(action);
        break;
      }
      case v3::Route::kRedirect:
        out.action = redirect(config.redirect(), context.child("redirect"));
        break;
      case v3::Route::kDirectResponse:
        out.action = directResponse(config.direct_response(), context.child("direct_response"));
        break;
      case v3::Route::kNonForwardingAction:
        out.action = toNoCluster();
        break;
      case v3::Route::ACTION_NOT_SET:
        context.error("has no action; set one of route, redirect, direct_response or non_forwarding_action");
    }
    out.mutations = compileMutations(config, context);
    out.per_filter = perFilter(config.typed_per_filter_config(), {Level::kRoute, config.name()}, context);
    out.metadata = metadataOf(config.metadata());
    return out;
  }

  void checkParameters(const route::RouteSpec& route, const Context& context) const {
    const bool text = route.path_kind != route::PathKind::kRegex && route.path.find(';') != std::string::npos;
    if (!text || !config_.ignore_path_parameters_in_path_matching()) return;
    context.warn(
        "holds ';' and matches nothing: ignore_path_parameters_in_path_matching takes what follows a ';' off the path "
        "before it is compared; remove it from the route");
  }

  // --- actions -----------------------------------------------------------------------------------------------------

  // No cluster has an empty name, so requests are answered as for any that is not there.
  route::ForwardSpec toNoCluster() {
    route::ForwardSpec out;
    out.cluster = deps_.cluster_names.idOf("");
    return out;
  }

  route::ForwardSpec forward(const v3::RouteAction& config, const Context& context) {
    route::ForwardSpec out;
    out.metadata_match = compileMetadataMatch(config.metadata_match());
    switch (config.cluster_specifier_case()) {
      case v3::RouteAction::kCluster:
        out.cluster_name = config.cluster();
        out.cluster = cluster(config.cluster(), context.child("cluster"));
        break;
      case v3::RouteAction::kClusterHeader:
        out.cluster_header = absl::AsciiStrToLower(config.cluster_header());
        break;
      case v3::RouteAction::kWeightedClusters:
        weighted(config.weighted_clusters(), context.child("weighted_clusters"), out);
        break;
      case v3::RouteAction::kInlineClusterSpecifierPlugin:
        clusterPlugin(config.inline_cluster_specifier_plugin(), context.child("inline_cluster_specifier_plugin"), out);
        break;
      case v3::RouteAction::kClusterSpecifierPlugin:
        plugins_->use(
            config.cluster_specifier_plugin(), context.child("cluster_specifier_plugin"),
            [&](const v3::ClusterSpecifierPlugin& plugin, const Context& at) { clusterPlugin(plugin, at, out); });
        break;
      case v3::RouteAction::CLUSTER_SPECIFIER_NOT_SET:
        context.error("names no cluster; set one of cluster, cluster_header or weighted_clusters");
    }
    out.prefix_rewrite = config.prefix_rewrite();
    checkPathText(config.prefix_rewrite(), context.child("prefix_rewrite"));
    if (config.has_regex_rewrite()) {
      out.regex_rewrite = regexes_.rewrite(config.regex_rewrite(), context.child("regex_rewrite"));
      if (!config.prefix_rewrite().empty()) {
        context.error("has both prefix_rewrite and regex_rewrite, which rewrite the same path; keep one of them");
      }
    }
    compileHostRewrite(config, context, regexes_, out);
    compilePathFormat(config, context, out);
    out.hash_policy = compileHashPolicy(config.hash_policy(), context, regexes_);
    if (out.chosen_by_hash && out.hash_policy.empty()) {
      context.child("weighted_clusters")
          .child("use_hash_policy")
          .warn("does nothing without a hash_policy; add one to the route, or remove it");
    }
    out.high_priority = config.priority() == envoy::config::core::v3::HIGH;
    out.cluster_not_found_status = clusterNotFoundStatus(config, context);
    if (config.has_timeout()) out.timeout = compileMilliseconds(config.timeout());
    if (config.has_idle_timeout()) out.idle_timeout = compileMilliseconds(config.idle_timeout());
    if (config.has_flush_timeout()) out.flush_timeout = compileMilliseconds(config.flush_timeout());
    streamDuration(config, context, out);
    if (config.has_internal_redirect_policy()) {
      out.internal_redirects =
          compileInternalRedirectPolicy(config.internal_redirect_policy(), context.child("internal_redirect_policy"),
                                        deps_.compile_redirect_predicate);
    }
    for (int i = 0; i < config.upgrade_configs_size(); ++i) {
      const auto& upgrade = config.upgrade_configs(i);
      const std::string type = absl::AsciiStrToLower(upgrade.upgrade_type());
      for (const route::UpgradeSpec& other : out.upgrades) {
        if (other.type == type) {
          context.child("upgrade_configs", static_cast<size_t>(i))
              .error(absl::StrCat("says something of '", upgrade.upgrade_type(), "' again; keep one of the entries"));
        }
      }
      if (upgrade.has_connect_config() && type != "connect") {
        context.child("upgrade_configs", static_cast<size_t>(i))
            .child("connect_config")
            .error(absl::StrCat("is for CONNECT, not for '", upgrade.upgrade_type(),
                                "'; remove it, or set upgrade_type "
                                "to CONNECT"));
      }
      out.upgrades.push_back({type, !upgrade.has_enabled() || upgrade.enabled().value(), upgrade.has_connect_config(),
                              upgrade.connect_config().allow_post()});
    }
    return out;
  }

  static void streamDuration(const v3::RouteAction& config, const Context& context, route::ForwardSpec& out) {
    if (config.has_max_grpc_timeout()) {
      route::MaxGrpcTimeout& timeout = out.max_grpc_timeout.emplace();
      timeout.max = compileMilliseconds(config.max_grpc_timeout());
      timeout.offset = compileMilliseconds(config.grpc_timeout_offset());
    } else if (config.has_grpc_timeout_offset()) {
      context.child("grpc_timeout_offset").warn("does nothing without max_grpc_timeout; set that, or remove it");
    }
    if (!config.has_max_stream_duration()) return;
    if (config.has_max_grpc_timeout()) {
      context.child("max_grpc_timeout").warn("does nothing beside max_stream_duration; remove it");
      out.max_grpc_timeout.reset();
    }
    const v3::RouteAction::MaxStreamDuration& limits = config.max_stream_duration();
    const Context at = context.child("max_stream_duration");
    route::MaxStreamDuration& duration = out.max_stream_duration.emplace();
    if (limits.has_max_stream_duration()) duration.duration = compileMilliseconds(limits.max_stream_duration());
    if (limits.has_grpc_timeout_header_max()) {
      duration.grpc_header_max = compileMilliseconds(limits.grpc_timeout_header_max());
    }
    duration.grpc_header_offset = compileMilliseconds(limits.grpc_timeout_header_offset());
    checkStreamDuration(duration, out, at);
  }

  // Warns of a timeout that never holds. `context` stands at the max_stream_duration of the route.
  static void checkStreamDuration(const route::MaxStreamDuration& duration, const route::ForwardSpec& out,
                                  const Context& context) {
    const std::chrono::milliseconds longest = duration.duration.value_or(std::chrono::milliseconds(0));
    if (longest.count() == 0 || !out.timeout || *out.timeout < longest) return;
    context.child("max_stream_duration")
        .warn(absl::StrCat("is ", longest.count(), " ms and the timeout of the route ", out.timeout->count(),
                           " ms, which begins later and so never ends a request; lower timeout, or remove it"));
  }

  static uint16_t clusterNotFoundStatus(const v3::RouteAction& config, const Context& context) {
    switch (config.cluster_not_found_response_code()) {
      case v3::RouteAction::SERVICE_UNAVAILABLE:
        return 503;
      case v3::RouteAction::NOT_FOUND:
        return 404;
      case v3::RouteAction::INTERNAL_SERVER_ERROR:
        return 500;
      default:
        context.child("cluster_not_found_response_code").error("is no value of its enum");
        return 503;
    }
  }

  void weighted(const v3::WeightedCluster& config, const Context& context, route::ForwardSpec& out) {
    out.random_header = absl::AsciiStrToLower(config.header_name());
    out.chosen_by_hash = config.use_hash_policy().value();
    const uint64_t total = shares(config.clusters(), config.runtime_key_prefix(), context, out);
    if (config.has_total_weight() && total > 0 && config.total_weight().value() != total) {
      context.child("total_weight")
          .warn(absl::StrCat("is ", config.total_weight().value(), ", but the weights sum to ", total,
                             " and shares are parts of that; remove it, or correct the weights"));
    }
  }

  void clusterPlugin(const v3::ClusterSpecifierPlugin& plugin, const Context& context, route::ForwardSpec& out) {
    if (isUnknownPlugin(plugin)) {
      out.cluster = deps_.cluster_names.idOf("");
      return;
    }
    const Context at = context.child("extension").child("typed_config");
    const std::unique_ptr<google::protobuf::Message> message = unpackPlugin(plugin, at);
    if (message == nullptr) return;
    if (const auto* split = dynamic_cast<const route::v1::StickySplit*>(message.get())) {
      stickySplit(*split, at, out);
    } else if (const auto* tree = dynamic_cast<const ClusterTreeConfig*>(message.get())) {
      const auto named = [this](const std::string& name, const Context& name_at) { return cluster(name, name_at); };
      out.tree = compileClusterTree(*tree, at, deps_.compile_matcher, named);
    } else {
      refusePlugin(*message, at);
    }
  }

  void stickySplit(const route::v1::StickySplit& config, const Context& at, route::ForwardSpec& out) {
    out.split = compileStickySplit(config, at);
    shares(config.clusters(), "", at, out);
    std::vector<route::WeightedClusterSpec> in_order;
    for (const size_t index : route::StickySplit::orderOfShares(out.weighted.size())) {
      in_order.push_back(std::move(out.weighted[index]));
    }
    out.weighted = std::move(in_order);
  }

  // Of the field `clusters`. The sum of the weights; 0 after an error.
  uint64_t shares(const google::protobuf::RepeatedPtrField<ClusterWeight>& clusters, const std::string& runtime_prefix,
                  const Context& context, route::ForwardSpec& out) {
    uint64_t total = 0;
    for (int i = 0; i < clusters.size(); ++i) {
      out.weighted.push_back(share(clusters[i], runtime_prefix, context.child("clusters", static_cast<size_t>(i))));
      out.weighted.back().metadata_match = compileMetadataMatch(clusters[i].metadata_match(), out.metadata_match);
      total += out.weighted.back().weight;
    }
    if (total > 0 && total <= UINT32_MAX) return total;
    context.child("clusters")
        .error(total == 0 ? "weights sum to 0; at least one cluster needs a weight of 1 or more"
                          : absl::StrCat("weights sum to ", total, "; at most 4294967295 is possible"));
    return 0;
  }

  route::WeightedClusterSpec share(const ClusterWeight& config, const std::string& runtime_prefix,
                                   const Context& context) {
    route::WeightedClusterSpec out;
    out.cluster_header = absl::AsciiStrToLower(config.cluster_header());
    if (config.cluster_header().empty()) {
      out.cluster_name = config.name();
      out.cluster = cluster(config.name(), context.child("name"));
    } else if (!config.name().empty()) {
      context.error("has both name and cluster_header; keep one of them");
    }
    if (!config.has_weight()) context.child("weight").error("is not set; give the cluster its share, 0 for none");
    out.weight = config.weight().value();
    if (!runtime_prefix.empty() && !config.name().empty()) {
      out.weight = runtimeWeight(absl::StrCat(runtime_prefix, ".", config.name()), out.weight, context);
    }
    out.host_rewrite = config.host_rewrite_literal();
    checkHostText(config.host_rewrite_literal(), context.child("host_rewrite_literal"));
    out.mutations = compileMutations(config, context);
    const std::string& name = config.name().empty() ? config.cluster_header() : config.name();
    out.per_filter = perFilter(config.typed_per_filter_config(), {Level::kCluster, name}, context);
    out.fingerprint = fingerprintOf(config);
    return out;
  }

  uint32_t runtimeWeight(const std::string& key, uint32_t configured, const Context& context) {
    const runtime::Value* value = deps_.runtime == nullptr ? nullptr : deps_.runtime->find(key);
    if (value == nullptr) return configured;
    if (value->number && *value->number >= 0 && *value->number <= UINT32_MAX &&
        std::floor(*value->number) == *value->number) {
      return static_cast<uint32_t>(*value->number);
    }
    context.child("weight").warn(absl::StrCat("the runtime key '", key,
                                              "' is no whole number from 0 to 4294967295, so ", configured,
                                              " holds; correct the key"));
    return configured;
  }

  route::ClusterId cluster(const std::string& name, const Context& context) {
    if (name.empty()) {
      context.error("is empty; name the cluster that takes the requests");
      return route::kNoCluster;
    }
    const bool validate =
        config_.has_validate_clusters() ? config_.validate_clusters().value() : deps_.validate_clusters_by_default;
    if (validate && deps_.cluster_exists && !deps_.cluster_exists(name)) {
      context.error(absl::StrCat("there is no cluster \"", name,
                                 "\"; add it, correct the name, or set validate_clusters: false"));
      return route::kNoCluster;
    }
    return deps_.cluster_names.idOf(name);
  }

  route::RedirectSpec redirect(const v3::RedirectAction& config, const Context& context) {
    route::RedirectSpec out;
    out.host = config.host_redirect();
    checkHostText(config.host_redirect(), context.child("host_redirect"));
    if (config.https_redirect()) out.scheme = "https";
    if (!config.scheme_redirect().empty()) {
      out.scheme = absl::AsciiStrToLower(config.scheme_redirect());
      checkScheme(out.scheme, context.child("scheme_redirect"));
    }
    out.port = config.port_redirect();
    if (out.port > 65535) {
      context.child("port_redirect").error(absl::StrCat("is ", out.port, "; a port is at most 65535"));
    }
    out.path = config.path_redirect();
    checkPathText(config.path_redirect(), context.child("path_redirect"));
    if (!out.path.empty() && out.path[0] != '/') {
      context.child("path_redirect").error("has to begin with '/'; it would run into the host otherwise");
    }
    out.prefix_rewrite = config.prefix_rewrite();
    checkPathText(config.prefix_rewrite(), context.child("prefix_rewrite"));
    if (config.has_regex_rewrite()) {
      out.regex_rewrite = regexes_.rewrite(config.regex_rewrite(), context.child("regex_rewrite"));
    }
    out.path_format = compilePathFormat(config.path_rewrite(), context.child("path_rewrite"));
    out.strip_query = config.strip_query();
    out.status = redirectStatus(config, context);
    return out;
  }

  static uint16_t redirectStatus(const v3::RedirectAction& config, const Context& context) {
    switch (config.response_code()) {
      case v3::RedirectAction::MOVED_PERMANENTLY:
        return 301;
      case v3::RedirectAction::FOUND:
        return 302;
      case v3::RedirectAction::SEE_OTHER:
        return 303;
      case v3::RedirectAction::TEMPORARY_REDIRECT:
        return 307;
      case v3::RedirectAction::PERMANENT_REDIRECT:
        return 308;
      default:
        context.child("response_code").error("is no value of its enum");
        return 301;
    }
  }

  route::DirectResponseSpec directResponse(const v3::DirectResponseAction& config, const Context& context) {
    route::DirectResponseSpec out;
    out.status = static_cast<uint16_t>(config.status());
    if (config.status() < 200 || config.status() > 599) {
      context.child("status").error(absl::StrCat("is ", config.status(), "; a final status is 200 to 599"));
    }
    if (config.has_body_format()) compileBodyFormat(config.body_format(), context.child("body_format"), out);
    if (!config.has_body()) return out;
    const Context at = context.child("body");
    out.body = compileDataSource(config.body(), at).value_or("");
    const uint32_t limit = config_.has_max_direct_response_body_size_bytes()
                               ? config_.max_direct_response_body_size_bytes().value()
                               : kDefaultDirectResponseBody;
    if (out.body.size() > limit) {
      at.error(absl::StrCat("has ", out.body.size(), " bytes; max_direct_response_body_size_bytes allows ", limit));
    }
    return out;
  }

  // --- per-filter settings -----------------------------------------------------------------------------------------

  route::PerFilterSpec perFilter(const TypedConfigs& configs, const route::SettingsLevel& level,
                                 const Context& context) {
    const std::map<std::string, const Any*> sorted = [&] {
      std::map<std::string, const Any*> out;  // errors in an order that does not vary
      for (const auto& [name, config] : configs) out.emplace(name, &config);
      return out;
    }();
    route::PerFilterSpec out;
    for (const auto& [name, config] : sorted) {
      auto compiled = filterConfig(name, *config, level, context.entry("typed_per_filter_config", name));
      if (compiled != nullptr) out.emplace_back(deps_.filter_slots.slotOf(name), std::move(compiled));
    }
    return out;
  }

  std::shared_ptr<const route::PerFilterConfig> filterConfig(const std::string& name, const Any& any,
                                                             const route::SettingsLevel& level,
                                                             const Context& context) {
    if (!any.Is<v3::FilterConfig>()) return innerFilterConfig(name, any, level, context);
    v3::FilterConfig wrapper;
    if (!any.UnpackTo(&wrapper)) {
      context.error("is no valid FilterConfig: its bytes cannot be parsed");
      return nullptr;
    }
    if (wrapper.disabled()) return std::make_shared<const route::FilterSwitch>(/*disabled=*/true);
    if (!wrapper.has_config()) {
      context.error(
          "has neither config nor disabled: true, so it says nothing; set one of them (`config: {}` switches the "
          "filter on) or remove it");
      return nullptr;
    }
    const bool unknown = wrapper.is_optional() && !isKnownType(wrapper.config());
    if (unknown || wrapper.config().type_url().empty()) {
      return std::make_shared<const route::FilterSwitch>(/*disabled=*/false);
    }
    return innerFilterConfig(name, wrapper.config(), level, context.child("config"));
  }

  std::shared_ptr<const route::PerFilterConfig> innerFilterConfig(const std::string& name, const Any& any,
                                                                  const route::SettingsLevel& level,
                                                                  const Context& context) {
    if (deps_.compile_filter_config) return deps_.compile_filter_config(name, any, level, context);
    context.error(absl::StrCat("filter \"", name, "\" takes no settings for single routes; remove them"));
    return nullptr;
  }

  const v3::RouteConfiguration& config_;
  const Context& context_;
  const RouteCompilerDeps& deps_;
  std::shared_ptr<const route::MirrorPolicies> mirrors_;  // of the whole table; null: none
  uint64_t fingerprint_ = 0;                              // the same
  std::map<std::string, std::string> domains_;            // lower case, to the name of their virtual host
  Regexes regexes_;
  std::optional<NamedPlugins> plugins_;  // set while virtual hosts are compiled
};

}  // namespace

std::shared_ptr<const route::Table> compileRouteTable(const v3::RouteConfiguration& config, const Context& context,
                                                      const RouteCompilerDeps& deps) {
  return RouteCompiler(config, context, deps).compile();
}

}  // namespace sluice::config
