#include "source/upstream/health/outlier_detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "source/base/text.h"

namespace sluice::upstream::health {

using cluster::Detection;
using cluster::Health;
using cluster::HealthInput;
using cluster::HostStat;

namespace {

struct Words {
  std::string_view stat;   // as in "ejections_enforced_..."
  std::string_view event;  // (proto: envoy.data.cluster.v3.OutlierEjectionType)
  std::string_view text;   // for people
};

const Words& wordsOf(Detection what) {
  static constexpr std::array<Words, cluster::kDetections> kWords{{
      {"consecutive_5xx", "CONSECUTIVE_5XX", "consecutive 5xx"},
      {"consecutive_gateway_failure", "CONSECUTIVE_GATEWAY_FAILURE", "consecutive gateway failures"},
      {"success_rate", "SUCCESS_RATE", "success rate"},
      {"consecutive_local_origin_failure", "CONSECUTIVE_LOCAL_ORIGIN_FAILURE", "consecutive local-origin failures"},
      {"local_origin_success_rate", "SUCCESS_RATE_LOCAL_ORIGIN", "local-origin success rate"},
      {"failure_percentage", "FAILURE_PERCENTAGE", "failure percentage"},
      {"local_origin_failure_percentage", "FAILURE_PERCENTAGE_LOCAL_ORIGIN", "local-origin failure percentage"},
  }};
  return kWords[static_cast<size_t>(what)];
}

bool isConsecutive(Detection what) {
  return what == Detection::kConsecutive5xx || what == Detection::kConsecutiveGatewayFailure ||
         what == Detection::kConsecutiveLocalOriginFailure;
}

uint64_t secondsOf(event::Duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

OutlierDetector::OutlierDetector(World world, std::string cluster, ConfigPtr config, cluster::HostMonitors& monitors,
                                 observability::Scope scope)
    : world_(world),
      cluster_(std::move(cluster)),
      config_(std::move(config)),
      monitors_(monitors),
      random_(world.seed),
      scope_(std::move(scope)),
      timer_(world.loop.timers(), [this] { onInterval(); }) {
  active_ = scope_.gauge("outlier_detection.ejections_active");
  enforced_total_ = scope_.counter("outlier_detection.ejections_enforced_total");
  overflow_ = scope_.counter("outlier_detection.ejections_overflow");
  for (size_t i = 0; i < cluster::kDetections; ++i) {
    const std::string_view name = wordsOf(static_cast<Detection>(i)).stat;
    counters_[i] = {scope_.counter(base::strCat("outlier_detection.ejections_detected_", name)),
                    scope_.counter(base::strCat("outlier_detection.ejections_enforced_", name))};
  }
  timer_.arm(config_->interval);
}

OutlierDetector::~OutlierDetector() {
  for (auto& [monitor, watched] : hosts_) {
    if (watched.ejected) monitors_.set(*watched.host, HealthInput::kEjection, Health::kHealthy);
  }
  world_.cells.sub(active_, ejected_);
}

void OutlierDetector::setConfig(ConfigPtr config) {
  const bool same_interval = config->interval == config_->interval;
  config_ = std::move(config);
  if (!same_interval) timer_.arm(config_->interval);
}

void OutlierDetector::setHosts(const cluster::HostSet& hosts) {
  std::unordered_map<const cluster::HostMonitor*, Watched> next;
  for (const cluster::HostSet::Entry& entry : hosts.entries()) {
    const cluster::HostMonitor* const monitor = &entry.host->monitor();
    if (next.contains(monitor)) continue;
    const auto known = hosts_.find(monitor);
    if (known != hosts_.end()) {
      next.emplace(monitor, std::move(known->second));
      hosts_.erase(known);
      continue;
    }
    Watched& watched = next[monitor];
    watched.host = entry.host;
    watched.last_change = world_.loop.now();
    cluster::HostStats& stats = entry.host->stats();
    watched.counted = {Counts{stats.sum(HostStat::kAnswerSuccess), stats.sum(HostStat::kAnswerFailure)},
                       Counts{stats.sum(HostStat::kLocalSuccess), stats.sum(HostStat::kLocalFailure)}};
  }
  // Should the host come again before its monitor is forgotten, it begins anew.
  for (auto& [monitor, gone] : hosts_) {
    if (!gone.ejected) continue;
    gone.host->monitor().set(HealthInput::kEjection, Health::kHealthy);
    gone.host->monitor().explain(HealthInput::kEjection, {});
    --ejected_;
    world_.cells.sub(active_);
  }
  hosts_ = std::move(next);
}

void OutlierDetector::detected(const cluster::HostMonitor& host, Detection what) {
  const auto found = hosts_.find(&host);
  if (found == hosts_.end()) return;
  Watched& watched = found->second;
  if (!watched.ejected) consider(watched, what);
  // The next as many failures detect it again.
  cluster::Streaks& streaks = watched.host->monitor().streaks();
  std::atomic<uint32_t>& streak = what == Detection::kConsecutive5xx              ? streaks.of_5xx
                                  : what == Detection::kConsecutiveGatewayFailure ? streaks.of_gateway
                                                                                  : streaks.of_local;
  streak.store(0, std::memory_order_relaxed);
}

void OutlierDetector::checkPassed(const cluster::HostMonitor& host) {
  const auto found = hosts_.find(&host);
  if (found == hosts_.end() || !found->second.ejected || !config_->check_ends_ejection) return;
  readmit(found->second, true);
}

OutlierDetector::Rates OutlierDetector::ratesOf(const cluster::HostMonitor& host) const {
  const auto found = hosts_.find(&host);
  return found == hosts_.end() ? Rates{} : found->second.rates;
}

void OutlierDetector::onInterval() {
  for (auto& [monitor, host] : hosts_) endIfOver(host);
  judgeRates(kAnswers);
  if (config_->split_local_origin) judgeRates(kLocal);
  timer_.arm(config_->interval);
}

void OutlierDetector::endIfOver(Watched& host) {
  if (!host.ejected) {
    if (host.backoff > 0) --host.backoff;
    return;
  }
  if (world_.loop.now() - host.since >= host.lasts) readmit(host, false);
}

// Every interval begins anew, for hosts that had too few requests as well. Those that are ejected are not compared. The
// worst comes first: it is ejected if not all can be.
std::vector<OutlierDetector::Rate> OutlierDetector::takeRates(Origin origin) {
  const HostStat good = origin == kAnswers ? HostStat::kAnswerSuccess : HostStat::kLocalSuccess;
  const HostStat bad = origin == kAnswers ? HostStat::kAnswerFailure : HostStat::kLocalFailure;
  std::vector<Rate> rates;
  for (auto& [monitor, host] : hosts_) {
    Counts& before = host.counted[origin];
    const Counts now{host.host->stats().sum(good), host.host->stats().sum(bad)};
    const uint64_t passed = now.good - before.good;
    const uint64_t requests = passed + now.bad - before.bad;
    before = now;
    double& shown = origin == kAnswers ? host.rates.success : host.rates.local_success;
    shown = -1;
    if (host.ejected || requests == 0) continue;
    const double success = 100.0 * static_cast<double>(passed) / static_cast<double>(requests);
    if (requests >= config_->success_rate.requests) shown = success;
    rates.push_back({&host, success, requests});
  }
  std::sort(rates.begin(), rates.end(), [](const Rate& a, const Rate& b) { return a.success < b.success; });
  return rates;
}

void OutlierDetector::judgeRates(Origin origin) {
  const std::vector<Rate> rates = takeRates(origin);
  judgeSuccess(origin, rates);
  judgeFailures(origin, rates);
}

void OutlierDetector::judgeSuccess(Origin origin, const std::vector<Rate>& rates) {
  double& threshold = origin == kAnswers ? thresholds_.success : thresholds_.local_success;
  threshold = -1;
  double sum = 0;
  size_t count = 0;
  const auto counts = [this](const Rate& rate) { return rate.requests >= config_->success_rate.requests; };
  for (const Rate& rate : rates) {
    if (!counts(rate)) continue;
    sum += rate.success;
    ++count;
  }
  if (count == 0 || count < config_->success_rate.hosts) return;
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (const Rate& rate : rates) {
    if (counts(rate)) squares += (rate.success - mean) * (rate.success - mean);
  }
  const double deviation = std::sqrt(squares / static_cast<double>(count));
  threshold = mean - deviation * config_->success_rate_stdev_factor / 1000.0;
  const Detection what = origin == kAnswers ? Detection::kSuccessRate : Detection::kSuccessRateLocalOrigin;
  for (const Rate& rate : rates) {
    if (counts(rate) && rate.success < threshold) consider(*rate.host, what, rate.success);
  }
}

void OutlierDetector::judgeFailures(Origin origin, const std::vector<Rate>& rates) {
  const auto counts = [this](const Rate& rate) { return rate.requests >= config_->failure_percentage.requests; };
  const auto enough = static_cast<size_t>(std::count_if(rates.begin(), rates.end(), counts));
  if (enough < config_->failure_percentage.hosts) return;
  const Detection what = origin == kAnswers ? Detection::kFailurePercentage : Detection::kFailurePercentageLocalOrigin;
  for (const Rate& rate : rates) {
    if (rate.host->ejected || !counts(rate)) continue;
    if (100.0 - rate.success >= config_->failure_percentage_threshold) consider(*rate.host, what, rate.success);
  }
}

bool OutlierDetector::roomForOne() const {
  if (ejected_ == 0 && config_->always_eject_one) return true;
  return 100 * (ejected_ + 1) <= size_t{config_->max_ejection_percent} * hosts_.size();
}

void OutlierDetector::consider(Watched& host, Detection what, double rate) {
  const auto index = static_cast<size_t>(what);
  world_.cells.add(counters_[index].detected);
  if (!roomForOne()) {
    world_.cells.add(overflow_);
    return note(host, base::strCat("not ejected (", wordsOf(what).text, "): ", ejected_, " of ", hosts_.size(),
                                   " hosts are, one more would exceed ", config_->max_ejection_percent, "%"));
  }
  if (random_.below(100) < config_->enforcing[index]) return eject(host, what, rate);
  note(host, base::strCat("not ejected (", wordsOf(what).text, "): enforced for ", config_->enforcing[index], "%"));
  logEjection(host, what, rate, false);
}

void OutlierDetector::eject(Watched& host, Detection what, double rate) {
  host.ejected = true;
  ++host.ejections;
  // What is beyond the longest ejection is not counted: it would have to be taken back step by step, too.
  if (config_->base_ejection_time * host.backoff < config_->max_ejection_time + config_->base_ejection_time) {
    ++host.backoff;
  }
  host.since = world_.loop.now();
  host.lasts = std::min<event::Duration>(config_->base_ejection_time * host.backoff, config_->max_ejection_time);
  const auto jitter = static_cast<uint64_t>(config_->max_ejection_time_jitter.count());
  host.lasts += std::chrono::milliseconds(random_.below(jitter + 1));
  ++ejected_;
  world_.cells.add(active_);
  world_.cells.add(enforced_total_);
  world_.cells.add(counters_[static_cast<size_t>(what)].enforced);
  logEjection(host, what, rate, true);
  host.last_change = host.since;
  monitors_.set(*host.host, HealthInput::kEjection, Health::kUnhealthy,
                base::strCat("ejected (", wordsOf(what).text, ") for ", secondsOf(host.lasts), " s"));
}

void OutlierDetector::readmit(Watched& host, bool by_check) {
  host.ejected = false;
  --ejected_;
  world_.cells.sub(active_);
  host.host->monitor().streaks().end();
  if (by_check) host.backoff = 0;
  logReadmission(host);
  host.last_change = world_.loop.now();
  monitors_.set(*host.host, HealthInput::kEjection, Health::kHealthy,
                by_check ? "no longer ejected: it passed an active check" : "no longer ejected: its time is over");
}

void OutlierDetector::note(Watched& host, std::string why) {
  host.host->monitor().explain(HealthInput::kEjection, std::move(why));
}

EventLine OutlierDetector::lineOf(const Watched& host) const {
  EventLine line;
  line.addTime("timestamp", world_.log.wall_now());
  line.add("secs_since_last_action", std::to_string(secondsOf(world_.loop.now() - host.last_change)));
  line.add("cluster_name", std::string_view(cluster_));
  line.add("upstream_url", std::string_view(host.host->addressText()));
  return line;
}

void OutlierDetector::logEjection(const Watched& host, Detection what, double rate, bool enforced) {
  if (!config_->log) return;
  EventLine line = lineOf(host);
  line.add("type", wordsOf(what).event).add("action", "EJECT");
  line.add("num_ejections", uint64_t{host.ejections}).add("enforced", enforced);
  const bool compared = what == Detection::kSuccessRate || what == Detection::kSuccessRateLocalOrigin;
  EventLine event;
  if (!isConsecutive(what)) event.add("host_success_rate", static_cast<uint64_t>(std::max(rate, 0.0)));
  if (compared) {
    const double threshold = what == Detection::kSuccessRate ? thresholds_.success : thresholds_.local_success;
    event.add("cluster_success_rate_ejection_threshold", static_cast<uint64_t>(std::max(threshold, 0.0)));
  }
  line.add(isConsecutive(what) ? "eject_consecutive_event"
           : compared          ? "eject_success_rate_event"
                               : "eject_failure_percentage_event",
           event);
  world_.log.write(*config_->log, line.take());
}

void OutlierDetector::logReadmission(const Watched& host) {
  if (!config_->log) return;
  EventLine line = lineOf(host);
  line.add("action", "UNEJECT").add("num_ejections", uint64_t{host.ejections});
  world_.log.write(*config_->log, line.take());
}

}  // namespace sluice::upstream::health
