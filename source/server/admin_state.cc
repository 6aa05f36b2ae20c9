#include "source/server/admin_state.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"
#include "source/admin/views.h"
#include "source/base/text.h"
#include "source/explain/explain.h"
#include "source/server/config_dump.h"
#include "source/server/live_configuration.h"
#include "source/server/proto_address.h"
#include "source/xds/resource_type.h"

namespace sluice::server {
namespace {

namespace v3 = envoy::admin::v3;
namespace cluster = upstream::cluster;
using google::protobuf::util::TimeUtil;

envoy::config::core::v3::HealthStatus healthOf(cluster::Health health) {
  switch (health) {
    case cluster::Health::kHealthy:
      return envoy::config::core::v3::HEALTHY;
    case cluster::Health::kDegraded:
      return envoy::config::core::v3::DEGRADED;
    default:
      return envoy::config::core::v3::UNHEALTHY;
  }
}

// All limits as they hold, also those that nobody set.
void setThresholds(const cluster::ThresholdsByPriority& thresholds, envoy::config::cluster::v3::CircuitBreakers& out) {
  for (size_t i = 0; i < thresholds.size(); ++i) {
    auto& shown = *out.add_thresholds();
    const bool high = static_cast<cluster::RoutingPriority>(i) == cluster::RoutingPriority::kHigh;
    shown.set_priority(high ? envoy::config::core::v3::HIGH : envoy::config::core::v3::DEFAULT);
    shown.mutable_max_connections()->set_value(thresholds[i].max_connections);
    shown.mutable_max_pending_requests()->set_value(thresholds[i].max_pending_requests);
    shown.mutable_max_requests()->set_value(thresholds[i].max_requests);
    const auto& budget = thresholds[i].retry_budget;
    shown.mutable_max_retries()->set_value(budget ? budget->min_concurrency : thresholds[i].max_retries);
    if (!budget) continue;
    shown.mutable_retry_budget()->mutable_budget_percent()->set_value(budget->percent);
    shown.mutable_retry_budget()->mutable_min_retry_concurrency()->set_value(budget->min_concurrency);
  }
}

// Counters, then gauges.
void setHostStats(const cluster::HostStats& stats, v3::HostStatus& out) {
  static constexpr const char* kNames[] = {"cx_connect_fail", "cx_total", "rq_error",  "rq_success",
                                           "rq_timeout",      "rq_total", "cx_active", "rq_active"};
  static_assert(std::size(kNames) == cluster::kShownHostStats);
  for (size_t i = 0; i < cluster::kShownHostStats; ++i) {
    const auto stat = static_cast<cluster::HostStat>(i);
    v3::SimpleMetric& metric = *out.add_stats();
    metric.set_name(kNames[i]);
    metric.set_value(stats.sum(stat));
    if (stat >= cluster::HostStat::kCxActive) metric.set_type(v3::SimpleMetric::GAUGE);
  }
}

void setHealth(const cluster::HostSet::Entry& entry, v3::HostHealthStatus& out) {
  using cluster::Health;
  const cluster::HostMonitor& monitor = entry.host->monitor();
  const Health checked = monitor.opinion(cluster::HealthInput::kActiveCheck);
  out.set_eds_health_status(healthOf(entry.assigned));
  out.set_failed_active_health_check(checked > Health::kDegraded);
  out.set_failed_active_degraded_check(checked == Health::kDegraded);
  out.set_active_hc_timeout(checked == Health::kTimeout);
  out.set_pending_dynamic_removal(entry.leaving);
  out.set_pending_active_hc(monitor.pending());
  out.set_excluded_via_immediate_hc_fail(monitor.excluded());
  out.set_failed_outlier_check(monitor.opinion(cluster::HealthInput::kEjection) > Health::kDegraded);
}

void setRates(const ClusterManager::Entry& of, const cluster::HostSet::Entry& entry, v3::HostStatus& out) {
  if (of.health->outliers() == nullptr) return;
  const upstream::health::OutlierDetector::Rates rates = of.health->outliers()->ratesOf(entry.host->monitor());
  if (rates.success >= 0) out.mutable_success_rate()->set_value(rates.success);
  if (rates.local_success >= 0) out.mutable_local_origin_success_rate()->set_value(rates.local_success);
}

void setThresholdRates(const ClusterManager::Entry& of, v3::ClusterStatus& out) {
  if (of.health->outliers() == nullptr) return;
  const upstream::health::OutlierDetector::Rates below = of.health->outliers()->thresholds();
  if (below.success >= 0) out.mutable_success_rate_ejection_threshold()->set_value(below.success);
  if (below.local_success < 0) return;
  out.mutable_local_origin_success_rate_ejection_threshold()->set_value(below.local_success);
}

}  // namespace

v3::ServerInfo AdminPages::serverInfo() const {
  v3::ServerInfo info;
  info.set_version(std::string(versionText()));
  switch (phase_) {
    case Phase::kInitializing:
      info.set_state(v3::ServerInfo::INITIALIZING);
      break;
    case Phase::kLive:
      info.set_state(health_failed_              ? v3::ServerInfo::DRAINING
                     : !notReadyReason().empty() ? v3::ServerInfo::INITIALIZING
                                                 : v3::ServerInfo::LIVE);
      break;
    case Phase::kDraining:
      info.set_state(v3::ServerInfo::DRAINING);
  }
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  *info.mutable_uptime_current_epoch() = TimeUtil::SecondsToDuration(uptime.count());
  *info.mutable_uptime_all_epochs() = info.uptime_current_epoch();
  *info.mutable_node() = deps_.bootstrap.node();
  v3::CommandLineOptions& options = *info.mutable_command_line_options();
  options.set_concurrency(deps_.concurrency);
  options.set_config_path(deps_.options.config_path);
  options.set_config_yaml(deps_.options.config_yaml);
  options.set_admin_address_path(deps_.options.admin_address_path);
  options.set_log_level(std::string(observability::textOf(deps_.logger.level())));
  options.set_service_cluster(deps_.options.service_cluster);
  options.set_service_node(deps_.options.service_node);
  *options.mutable_drain_time() = TimeUtil::MillisecondsToDuration(deps_.options.drain_time.count());
  options.set_reject_unknown_dynamic_fields(deps_.options.reject_unknown_dynamic_fields);
  return info;
}

v3::Clusters AdminPages::clusters() const {
  v3::Clusters out;
  for (const auto& [name, entry] : deps_.clusters.entries()) {
    if (!entry->active) continue;
    const ClusterManager::Generation& generation = *entry->active;
    v3::ClusterStatus& status = *out.add_cluster_statuses();
    status.set_name(name);
    status.set_added_via_api(!entry->is_static);
    status.set_observability_name(generation.config->stat_name);
    status.set_eds_service_name(std::string(generation.config->kind->serviceName()));
    setThresholds(generation.config->thresholds, *status.mutable_circuit_breakers());
    setThresholdRates(*entry, status);
    for (const cluster::HostSet::Entry& host : generation.hosts->entries()) {
      v3::HostStatus& shown = *status.add_host_statuses();
      setAddress(host.host->address(), *shown.mutable_address());
      setHostStats(host.host->stats(), shown);
      setHealth(host, *shown.mutable_health_status());
      setRates(*entry, host, shown);
      shown.set_weight(host.weight);
      shown.set_hostname(host.host->hostname());
      shown.set_priority(host.priority);
      shown.mutable_locality()->set_region(host.locality->region);
      shown.mutable_locality()->set_zone(host.locality->zone);
      shown.mutable_locality()->set_sub_zone(host.locality->sub_zone);
    }
  }
  return out;
}

std::string AdminPages::healthReason(const std::string& cluster, size_t host) const {
  const cluster::HostSet* const hosts = deps_.clusters.hostsOf(cluster);
  if (hosts == nullptr || host >= hosts->entries().size()) return {};
  const cluster::HostMonitor& monitor = hosts->entries()[host].host->monitor();
  std::string out;
  for (const cluster::HealthInput input : {cluster::HealthInput::kActiveCheck, cluster::HealthInput::kEjection}) {
    const std::string& reason = monitor.reason(input);
    if (!reason.empty()) absl::StrAppend(&out, out.empty() ? "" : "; ", reason);
  }
  return out;
}

v3::Listeners AdminPages::listeners() const {
  v3::Listeners out;
  for (const auto& [name, entry] : deps_.listeners.entries()) {
    if (!entry.active) continue;
    for (const net::Address& address : entry.active->bound) {
      v3::ListenerStatus& status = *out.add_listener_statuses();
      status.set_name(name);
      setAddress(address, *status.mutable_local_address());
      if (entry.active->compiled.isUdp()) {
        status.mutable_local_address()->mutable_socket_address()->set_protocol(
            envoy::config::core::v3::SocketAddress::UDP);
      }
    }
  }
  return out;
}

namespace {

void setCertificate(const tls::CertificateFacts& facts, int64_t now, v3::CertificateDetails& out) {
  out.set_path(facts.name);
  out.set_serial_number(facts.serial);
  for (const std::string& name : facts.dns_sans) out.add_subject_alt_names()->set_dns(name);
  for (const std::string& name : facts.uri_sans) out.add_subject_alt_names()->set_uri(name);
  for (const std::string& name : facts.ip_sans) out.add_subject_alt_names()->set_ip_address(name);
  out.set_days_until_expiration(static_cast<uint64_t>(std::max<int64_t>(facts.daysUntilExpiration(now), 0)));
  *out.mutable_valid_from() = TimeUtil::SecondsToTimestamp(facts.valid_from);
  *out.mutable_expiration_time() = TimeUtil::SecondsToTimestamp(facts.valid_to);
  if (facts.ocsp_valid_to == 0) return;
  *out.mutable_ocsp_details()->mutable_valid_from() = TimeUtil::SecondsToTimestamp(facts.ocsp_valid_from);
  *out.mutable_ocsp_details()->mutable_expiration() = TimeUtil::SecondsToTimestamp(facts.ocsp_valid_to);
}

}  // namespace

v3::Certificates AdminPages::certificates() const {
  const int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  v3::Certificates out;
  deps_.secrets.forEachContext([&](const tls::ContextFacts& facts) {
    v3::Certificate& shown = *out.add_certificates();
    for (const auto& authority : facts.authorities) setCertificate(authority, now, *shown.add_ca_cert());
    for (const auto& certificate : facts.certificates) setCertificate(certificate, now, *shown.add_cert_chain());
  });
  return out;
}

ConfigSources AdminPages::sources() const {
  return {deps_.bootstrap, deps_.clusters, deps_.listeners, deps_.scopes, deps_.secrets, deps_.subscriptions};
}

v3::ConfigDump AdminPages::configDump(bool include_endpoints) const {
  return server::configDump(sources(), include_endpoints);
}

envoy::service::status::v3::ClientStatusResponse AdminPages::clientStatus() const {
  return server::clientStatus(sources());
}

namespace {

admin::ResourceVerdict::State stateOf(xds::VerdictState state) {
  using State = admin::ResourceVerdict::State;
  switch (state) {
    case xds::VerdictState::kRequested:
      return State::kRequested;
    case xds::VerdictState::kAccepted:
      return State::kServing;
    case xds::VerdictState::kRejected:
      return State::kRejected;
    case xds::VerdictState::kDoesNotExist:
      return State::kAbsent;
    case xds::VerdictState::kTimeout:
      return State::kTimeout;
    case xds::VerdictState::kFailed:
      return State::kFailed;
  }
  return State::kRequested;
}

// Of an entry of a manager; empty: nothing of it is to come.
template <typename Entry>
std::string waitsOf(const Entry& entry) {
  if (!entry.warming) return {};
  const std::string waits = entry.warming->init->waits();
  return waits.empty() ? "its turn" : waits;
}

}  // namespace

std::vector<admin::ResourceVerdict> AdminPages::verdicts() const {
  std::vector<admin::ResourceVerdict> out;
  if (deps_.subscriptions == nullptr) return out;
  std::set<std::string_view> types;
  deps_.subscriptions->forEach([&types](const xds::Subscriptions::View& view) { types.insert(view.type_url); });
  const auto now = event::TimePoint::clock::now();
  for (const std::string_view type : types) {
    for (const xds::Verdict& verdict : deps_.subscriptions->verdicts(type)) {
      admin::ResourceVerdict& shown = out.emplace_back();
      shown.type = std::string(xds::typeName(type));
      shown.name = verdict.name;
      shown.state = stateOf(verdict.state);
      shown.version = verdict.version;
      shown.rejected_version = verdict.rejected_version;
      shown.error = verdict.error;
      shown.stored = verdict.stored;
      shown.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - verdict.since);
      if (verdict.state != xds::VerdictState::kAccepted) continue;
      if (type == xds::kClusterType) {
        if (const ClusterManager::Entry* entry = deps_.clusters.find(verdict.name)) shown.waits_for = waitsOf(*entry);
      } else if (type == xds::kListenerType) {
        const auto entry = deps_.listeners.entries().find(verdict.name);
        if (entry != deps_.listeners.entries().end()) shown.waits_for = waitsOf(entry->second);
      } else if (type == xds::kRouteType) {
        const ResourceKey key{std::string(verdict.source), verdict.name};
        shown.waits_for = deps_.routes.waitsOf(key);
        if (shown.waits_for.empty()) shown.missing = deps_.routes.missingOf(key);
      } else if (type == xds::kScopedRouteType) {
        shown.waits_for = deps_.scopes.waitsOf(verdict.source, verdict.name);
      }
      if (!shown.waits_for.empty()) shown.state = admin::ResourceVerdict::State::kWarming;
    }
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return std::tie(a.type, a.name) < std::tie(b.type, b.name); });
  return out;
}

admin::Response AdminPages::explain(const std::vector<std::pair<std::string, std::string>>& parameters) const {
  const auto refused = [](const absl::Status& status) {
    const uint16_t code = absl::IsInvalidArgument(status) ? 400 : absl::IsNotFound(status) ? 404 : 409;
    return admin::problem(code, base::toStd(status.message()));
  };
  const absl::StatusOr<explain::Request> request = explain::requestOf(parameters);
  if (!request.ok()) return refused(request.status());
  const LiveConfiguration configuration({.registry = deps_.registry,
                                         .bootstrap = deps_.bootstrap,
                                         .clusters = deps_.clusters,
                                         .listeners = deps_.listeners,
                                         .routes = deps_.routes,
                                         .scopes = deps_.scopes,
                                         .subscriptions = deps_.subscriptions});
  const absl::StatusOr<explain::Explanation> explanation = explain::explain(*request, configuration);
  if (!explanation.ok()) return refused(explanation.status());
  using Json = nlohmann::ordered_json;
  admin::Response out;
  out.content_type = "application/json";
  out.body = explain::toJson(*explanation).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

}  // namespace sluice::server
