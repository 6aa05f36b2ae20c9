#include "source/extensions/clusters/dns/source.h"

#include <algorithm>
#include <utility>

#include "source/base/failure_delay.h"

namespace sluice::extensions::clusters::dns {

using upstream::cluster::Assignment;
using upstream::cluster::AssignmentPtr;
using upstream::cluster::Endpoint;
using upstream::cluster::HostSet;
using upstream::cluster::LocalityEndpoints;

namespace {

const std::string& hostnameOf(const Endpoint& endpoint) {
  return endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname;
}

}  // namespace

struct Source::Target {
  explicit Target(std::string dns_name) : name(std::move(dns_name)) {}

  const std::string name;
  std::vector<net::Address> addresses;  // the last good ones; with one_address the host's own is the first
  bool had_result = false;
  uint32_t failures = 0;  // in a row
  uint32_t denials = 0;   // "no such name" in a row
  std::string problem = "not resolved yet";
  std::unique_ptr<net::DnsQuery> query;  // while one is under way
  std::unique_ptr<event::Timer> timer;   // the next question, or the deadline of the one under way
};

Source::Source(const World& world, Owner owner, AssignmentPtr endpoints, const Settings& settings, Receiver& receiver)
    : cluster_(owner.cluster),
      loop_(world.loop),
      resolver_(world.resolver),
      endpoints_(std::move(endpoints)),
      settings_(settings),
      receiver_(receiver),
      random_(owner.seed) {
  for (const LocalityEndpoints& locality : endpoints_->localities) {
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
  if (owner.previous) takePrevious(*owner.previous);
}

Source::~Source() = default;

void Source::start() {
  for (const auto& target : targets_) ask(*target);
  if (targets_.empty()) publish(true);
}

std::string Source::problem() const {
  std::string out;
  for (const auto& target : targets_) {
    if (target->problem.empty()) continue;
    if (!out.empty()) out += "; ";
    out += target->name + ": " + target->problem;
  }
  return out;
}

void Source::ask(Target& target) {
  ++updates_.attempts;
  target.timer->arm(kLookupDeadline);
  target.query = resolver_.resolve(target.name, settings_.lookup_family,
                                   [this, &target](net::DnsResult result) { onResult(target, std::move(result)); });
}

void Source::onDeadline(Target& target) {
  net::DnsResult result;
  result.status = net::DnsResult::Status::kFailed;
  result.detail = "no result within 30 s";
  onResult(target, std::move(result));
}

void Source::onResult(Target& target, net::DnsResult result) {
  target.query.reset();
  target.had_result = true;
  const bool changed = takeAddresses(target, result);
  scheduleNext(target, result);
  publish(changed);  // last: the receiver may destroy this
}

// True if the target's addresses are different now.
bool Source::takeAddresses(Target& target, net::DnsResult& result) {
  target.problem = result.detail;
  switch (result.status) {
    case net::DnsResult::Status::kFailed:
      ++updates_.failures;
      ++target.failures;
      return false;
    case net::DnsResult::Status::kNoSuchName:
      ++updates_.empty;
      target.failures = 0;
      if (++target.denials < 2) return false;
      result.addresses.clear();
      break;
    case net::DnsResult::Status::kOk:
      ++updates_.successes;
      target.failures = 0;
      target.denials = 0;
      target.problem.clear();
      break;
  }
  if (settings_.one_address) putOwnFirst(target, result.addresses);
  if (target.addresses == result.addresses) {
    ++updates_.no_rebuild;
    return false;
  }
  target.addresses = std::move(result.addresses);
  return true;
}

// The target's own address if it is among them, else one by chance. Those behind it follow, and then those in front of
// it, so that hosts whose address is dead do not all go to the same one. Each connection has a list of them, so there
// is a limit, whatever a name's owner answers.
void Source::putOwnFirst(const Target& target, std::vector<net::Address>& addresses) {
  if (addresses.empty()) return;
  auto own = addresses.end();
  if (!target.addresses.empty()) own = std::find(addresses.begin(), addresses.end(), target.addresses[0]);
  if (own == addresses.end()) own = addresses.begin() + static_cast<ptrdiff_t>(random_.below(addresses.size()));
  std::rotate(addresses.begin(), own, addresses.end());
  if (addresses.size() > kMostTried) addresses.resize(kMostTried);
}

void Source::scheduleNext(Target& target, const net::DnsResult& result) {
  event::Duration delay = settings_.refresh_rate;
  if (result.status == net::DnsResult::Status::kFailed) {
    if (settings_.failure_base_interval.count() > 0) {
      delay =
          base::failureDelay(target.failures, settings_.failure_base_interval, settings_.failure_max_interval, random_);
    }
  } else if (settings_.respect_ttl && result.ttl.count() > 0) {
    delay = std::max<event::Duration>(std::min<event::Duration>(result.ttl, kMaxTtl), settings_.min_ttl);
  }
  if (settings_.jitter.count() > 0) {
    delay += std::chrono::milliseconds(random_.below(static_cast<uint64_t>(settings_.jitter.count())));
  }
  target.timer->arm(delay);
}

void Source::publish(bool changed) {
  const bool all = std::all_of(targets_.begin(), targets_.end(), [](const auto& target) { return target->had_result; });
  if (!all || (warm_ && !changed)) return;
  warm_ = true;
  receiver_.onEndpoints(resolved());
}

AssignmentPtr Source::resolved() const {
  auto result = std::make_shared<Assignment>();
  Assignment& out = *result;
  out.overprovisioning_factor = endpoints_->overprovisioning_factor;
  for (const LocalityEndpoints& locality : endpoints_->localities) {
    LocalityEndpoints& resolved =
        out.localities.emplace_back(LocalityEndpoints{locality.locality, locality.weight, locality.priority, {}});
    for (const Endpoint& endpoint : locality.endpoints) {
      if (endpoint.dns_name.empty()) {
        resolved.endpoints.push_back(endpoint);
        continue;
      }
      const std::vector<net::Address>& addresses = targetOf(endpoint).addresses;
      const size_t hosts = settings_.one_address ? std::min<size_t>(addresses.size(), 1) : addresses.size();
      for (size_t i = 0; i < hosts; ++i) {
        Endpoint& host = resolved.endpoints.emplace_back(endpoint);
        host.address = addresses[i].withPort(endpoint.dns_port);
        host.hostname = hostnameOf(endpoint);
      }
      for (size_t i = hosts; i < addresses.size(); ++i) {
        resolved.endpoints.back().additional.push_back(addresses[i].withPort(endpoint.dns_port));
      }
    }
  }
  return result;
}

Source::Target& Source::targetOf(const Endpoint& endpoint) const {
  return *by_name_.at(endpoint.dns_name);
}

void Source::takePrevious(const HostSet& previous) {
  for (const LocalityEndpoints& locality : endpoints_->localities) {
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
      if (settings_.one_address && addresses.size() > 1) addresses.resize(1);
    }
  }
}

}  // namespace sluice::extensions::clusters::dns
