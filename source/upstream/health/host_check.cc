#include "source/upstream/health/host_check.h"

#include <utility>

#include "source/base/text.h"

namespace sluice::upstream::health {

using cluster::Health;
using Verdict = CheckResult::Verdict;
using Kind = cluster::HealthCheckConfig::Kind;
using Millis = cluster::HealthCheckConfig::Millis;

namespace {

constexpr Millis kSecretWait{100};
constexpr Millis kDescriptorWait{1000};

// (proto: envoy.data.core.v3.HealthCheckFailureType)
std::string_view failureType(Verdict verdict) {
  switch (verdict) {
    case Verdict::kTimeout:
      return "NETWORK_TIMEOUT";
    case Verdict::kNetwork:
      return "NETWORK";
    case Verdict::kAsked:
      return "PASSIVE";
    default:
      return "ACTIVE";
  }
}

std::string reasonOf(const CheckResult& result) {
  if (result.verdict == Verdict::kPassed) return {};
  if (result.verdict == Verdict::kDegraded) return "the host says that it is degraded";
  if (result.verdict == Verdict::kTimeout) return "check failed: timeout";
  if (result.verdict == Verdict::kAsked) return "the host asked to be failed";
  std::string out = base::strCat("check failed: ", result.detail);
  if (result.status != 0) base::strAppend(out, " (status ", result.status, ")");
  return out;
}

}  // namespace

HostCheck::HostCheck(cluster::HostPtr host, const cluster::EndpointCheck& endpoint, size_t index, Health known,
                     CheckOwner& owner, OnOutcome on_outcome)
    : host_(std::move(host)),
      endpoint_(endpoint),
      index_(index),
      owner_(owner),
      on_outcome_(std::move(on_outcome)),
      state_(check(), host_->monitor().pending(), known > Health::kDegraded),
      health_(known),
      degraded_(known == Health::kDegraded),
      next_(owner.world().loop.timers(), [this] { begin(); }),
      timeout_(owner.world().loop.timers(), [this] { onTimeout(); }) {
  makeProbe();
  next_.arm(state_.untilFirst(owner.random()));
}

const net::TransportFactory* HostCheck::transport() const {
  const auto& own = check().transport_metadata;
  return owner_.config()->transportOf(own ? *own : host_->metadata());
}

void HostCheck::makeProbe() {
  const cluster::ClusterConfig& config = *owner_.config();
  ProbeTarget target{{owner_.world().loop, owner_.world().buffers, owner_.config(), transport(),
                      endpoint_.address ? endpoint_.address : host_->address(), host_->metadata()},
                     check(),
                     {}};
  if (!check().alpn.empty()) target.own_alpn = &check().alpn;
  if (endpoint_.port != 0 && !target.address.isUnix()) target.address = target.address.withPort(endpoint_.port);
  target.authority = !endpoint_.hostname.empty()  ? endpoint_.hostname
                     : !check().http.host.empty() ? check().http.host
                                                  : config.name;
  auto told = [this](const CheckResult& result) { onResult(result); };
  switch (check().kind) {
    case Kind::kTcp:
      probe_ = makeTcpProbe(std::move(target), std::move(told));
      break;
    case Kind::kRedis:
      probe_ = makeRedisProbe(std::move(target), std::move(told));
      break;
    default:
      probe_ = makeHttpProbe(std::move(target), std::move(told));
  }
}

void HostCheck::configChanged() {
  state_.setConfig(check());
  timeout_.cancel();
  makeProbe();
  if (pending()) return next_.arm(state_.untilFirst(owner_.random()));
  next_.arm(Millis(owner_.random().below(static_cast<uint64_t>(check().interval.count()))));
}

// A secret of the cluster's transport may still be on its way.
void HostCheck::begin() {
  const net::TransportFactory* const by = transport();
  if (by != nullptr && !by->notReady().empty()) return next_.arm(kSecretWait);
  owner_.world().cells.add(owner_.stats().attempt);
  if (const CheckStats* own = owner_.statsOf(index_)) owner_.world().cells.add(own->attempt);
  timeout_.arm(check().timeout);
  probe_->begin();
}

void HostCheck::onTimeout() {
  probe_->abandon();
  over({.verdict = Verdict::kTimeout, .detail = "timeout"});
}

void HostCheck::onResult(const CheckResult& result) {
  timeout_.cancel();
  if (result.verdict == Verdict::kNotMade) return next_.arm(kDescriptorWait);
  over(result);
}

void HostCheck::failNow(bool counted) {
  const CheckResult result{.verdict = Verdict::kAsked, .asked_to_fail = true};
  if (counted) count(result, owner_.stats());
  take(result);
}

void HostCheck::over(const CheckResult& result) {
  count(result, owner_.stats());
  take(result);
  next_.arm(state_.untilNext(owner_.hadTraffic(), owner_.random()));
}

void HostCheck::take(const CheckResult& result) {
  if (const CheckStats* own = owner_.statsOf(index_)) count(result, *own);
  const bool first = state_.first();
  const bool was_degraded = degraded_;
  const bool at_once = result.verdict == Verdict::kFailed || result.verdict == Verdict::kAsked;
  const bool changed = result.passed() ? state_.passed() : state_.failed(at_once);
  if (result.passed()) degraded_ = result.verdict == Verdict::kDegraded;
  if (!check().logs.empty()) log(result, first, changed, was_degraded);
  health_ = degraded_ ? Health::kDegraded : Health::kHealthy;
  if (state_.unhealthy()) health_ = result.verdict == Verdict::kTimeout ? Health::kTimeout : Health::kUnhealthy;
  reason_ = reasonOf(result);
  on_outcome_({.passed = result.passed() && !state_.unhealthy(),
               .first = first,
               .excluded = result.asked_to_fail && state_.unhealthy()});
}

void HostCheck::count(const CheckResult& result, const CheckStats& stats) const {
  observability::StatsCells& cells = owner_.world().cells;
  cells.add(result.passed() ? stats.success : stats.failure);
  if (result.verdict == Verdict::kNetwork || result.verdict == Verdict::kTimeout) cells.add(stats.network_failure);
  if (result.verdict == Verdict::kAsked) cells.add(stats.passive_failure);
  if (result.compared_service) cells.add(stats.verify_cluster);
}

void HostCheck::log(const CheckResult& result, bool first, bool changed, bool was_degraded) const {
  if (result.passed()) {
    if (changed) write(EventLine().add("first_check", first), "add_healthy_event");
    if (degraded_ && !was_degraded) write({}, "degraded_healthy_host");
    if (!degraded_ && was_degraded) write({}, "no_longer_degraded_host");
    if (check().log_successes) write({}, "successful_health_check_event");
    return;
  }
  EventLine event;
  event.add("failure_type", failureType(result.verdict));
  if (result.status != 0) event.add("http_status_code", uint64_t{result.status});
  if (changed) write(event, "eject_unhealthy_event");
  if (check().log_failures || first) write(event.add("first_check", first), "health_check_failure_event");
}

void HostCheck::write(EventLine event, std::string_view name) const {
  EventLine line;
  line.add("health_checker_type", cluster::nameOf(check().kind));
  line.addAddress("host", host_->address());
  line.add("cluster_name", std::string_view(owner_.config()->name));
  line.add(name, event);
  line.addTime("timestamp", owner_.world().log.wall_now());
  const std::string text = line.take();
  for (const auto& file : check().logs) owner_.world().log.write(*file, text);
}

}  // namespace sluice::upstream::health
