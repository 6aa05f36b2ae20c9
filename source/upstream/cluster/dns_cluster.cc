#include "source/upstream/cluster/dns_cluster.h"

#include <algorithm>
#include <utility>

namespace sluice::upstream::cluster {

namespace {

const std::string& hostnameOf(const Endpoint& endpoint) {
  return endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname;
}

}  // namespace

struct DnsCluster::Target {
  explicit Target(std::string dns_name) : name(std::move(dns_name)) {}

  const std::string name;
  std::vector<net::Address> addresses;  // the last good ones
  bool had_result = false;
  uint32_t failures = 0;  // in a row
  uint32_t denials = 0;   // "no such name" in a row
  std::string problem = "not resolved yet";
  std::unique_ptr<net::DnsQuery> query;  // while one is under way
  std::unique_ptr<event::Timer> timer;   // the next question, or the deadline of the one under way
};

DnsCluster::DnsCluster(event::Loop& loop, net::DnsResolver& resolver, std::shared_ptr<const ClusterConfig> config,
                       uint64_t seed, std::function<void(HostSetPtr)> on_hosts, HostSetPtr previous)
    : loop_(loop),
      resolver_(resolver),
      config_(std::move(config)),
      random_(seed),
      on_hosts_(std::move(on_hosts)),
      hosts_(previous ? std::move(previous) : HostSet::empty()) {
  for (const LocalityEndpoints& locality : config_->assignment.localities) {
    for (const Endpoint& endpoint : locality.endpoints) {
      if (endpoint.dns_name.empty() || by_name_.contains(endpoint.dns_name)) continue;
      Target& target = *targets_.emplace_back(std::make_unique<Target>(endpoint.dns_name));
      by_name_.emplace(target.name, &target);
      target.timer = std::make_unique<event::Timer>(loop_.timers(), [this, &target] {
        if (target.query) {
          onDeadline(target);
        } else {
          ask(target);
        }
      });
    }
  }
  takePrevious(*hosts_);
}

DnsCluster::~DnsCluster() = default;

void DnsCluster::start() {
  for (const auto& target : targets_) ask(*target);
  if (targets_.empty()) publish(true);
}

std::string DnsCluster::problem() const {
  std::string out;
  for (const auto& target : targets_) {
    if (target->problem.empty()) continue;
    if (!out.empty()) out += "; ";
    out += target->name + ": " + target->problem;
  }
  return out;
}

void DnsCluster::ask(Target& target) {
  ++stats_.attempts;
  target.timer->arm(kLookupDeadline);
  target.query = resolver_.resolve(target.name, config_->dns.lookup_family,
                                   [this, &target](net::DnsResult result) { onResult(target, std::move(result)); });
}

void DnsCluster::onDeadline(Target& target) {
  net::DnsResult result;
  result.status = net::DnsResult::Status::kFailed;
  result.detail = "no result within 30 s";
  onResult(target, std::move(result));
}

void DnsCluster::onResult(Target& target, net::DnsResult result) {
  target.query.reset();
  target.had_result = true;
  const bool changed = takeAddresses(target, result);
  scheduleNext(target, result);
  publish(changed);  // last: the receiver may destroy this
}

// True if the target's addresses are different now.
bool DnsCluster::takeAddresses(Target& target, net::DnsResult& result) {
  target.problem = result.detail;
  switch (result.status) {
    case net::DnsResult::Status::kFailed:
      ++stats_.failures;
      ++target.failures;
      return false;
    case net::DnsResult::Status::kNoSuchName:
      ++stats_.empty;
      target.failures = 0;
      if (++target.denials < 2) return false;
      result.addresses.clear();
      break;
    case net::DnsResult::Status::kOk:
      ++stats_.successes;
      target.failures = 0;
      target.denials = 0;
      target.problem.clear();
      break;
  }
  if (target.addresses == result.addresses) {
    ++stats_.no_rebuild;
    return false;
  }
  target.addresses = std::move(result.addresses);
  return true;
}

void DnsCluster::scheduleNext(Target& target, const net::DnsResult& result) {
  const DnsConfig& dns = config_->dns;
  event::Duration delay = dns.refresh_rate;
  if (result.status == net::DnsResult::Status::kFailed) {
    delay = failureDelay(target);
  } else if (dns.respect_ttl && result.ttl.count() > 0) {
    delay = std::min<event::Duration>(result.ttl, kMaxTtl);
  }
  if (dns.jitter.count() > 0) {
    delay += std::chrono::milliseconds(random_.below(static_cast<uint64_t>(dns.jitter.count())));
  }
  target.timer->arm(delay);
}

event::Duration DnsCluster::failureDelay(Target& target) {
  const DnsConfig& dns = config_->dns;
  if (dns.failure_base_interval.count() == 0) return dns.refresh_rate;
  const uint32_t doublings = std::min(target.failures - 1, 20u);
  const auto most = std::max(dns.failure_max_interval, dns.failure_base_interval);
  const auto full = std::min(dns.failure_base_interval * (int64_t{1} << doublings), most);
  const std::chrono::microseconds half = std::chrono::microseconds(full) / 2;
  return half + std::chrono::microseconds(random_.below(static_cast<uint64_t>(half.count()) + 1));
}

void DnsCluster::publish(bool changed) {
  const bool all = std::all_of(targets_.begin(), targets_.end(), [](const auto& target) { return target->had_result; });
  if (!all || (warm_ && !changed)) return;
  warm_ = true;
  const HostSetOptions options{config_->lb.panic_threshold, config_->lb.locality_weighted};
  hosts_ = HostSet::build(resolvedAssignment(), options, hosts_.get());
  const auto on_hosts = on_hosts_;
  on_hosts(hosts_);
}

Assignment DnsCluster::resolvedAssignment() const {
  Assignment out;
  out.overprovisioning_factor = config_->assignment.overprovisioning_factor;
  for (const LocalityEndpoints& locality : config_->assignment.localities) {
    LocalityEndpoints& resolved =
        out.localities.emplace_back(LocalityEndpoints{locality.locality, locality.weight, locality.priority, {}});
    for (const Endpoint& endpoint : locality.endpoints) {
      if (endpoint.dns_name.empty()) {
        resolved.endpoints.push_back(endpoint);
        continue;
      }
      for (const net::Address& address : targetOf(endpoint).addresses) {
        Endpoint& host = resolved.endpoints.emplace_back(endpoint);
        host.address = address.withPort(endpoint.dns_port);
        host.hostname = hostnameOf(endpoint);
      }
    }
  }
  return out;
}

DnsCluster::Target& DnsCluster::targetOf(const Endpoint& endpoint) const {
  return *by_name_.at(endpoint.dns_name);
}

void DnsCluster::takePrevious(const HostSet& previous) {
  for (const LocalityEndpoints& locality : config_->assignment.localities) {
    for (const Endpoint& endpoint : locality.endpoints) {
      if (endpoint.dns_name.empty()) continue;
      std::vector<net::Address>& addresses = targetOf(endpoint).addresses;
      for (const HostSet::Entry& entry : previous.entries()) {
        const net::Address& address = entry.host->address();
        const bool same_name = entry.host->hostname() == hostnameOf(endpoint) && address.port() == endpoint.dns_port;
        if (same_name) addresses.push_back(address.withPort(0));
      }
      std::sort(addresses.begin(), addresses.end());
      addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    }
  }
}

}  // namespace sluice::upstream::cluster
