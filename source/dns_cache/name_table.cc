#include "source/dns_cache/name_table.h"

#include <algorithm>
#include <utility>

#include "source/base/failure_delay.h"
#include "source/base/text.h"

namespace sluice::dns_cache {

using Outcome = ResolvedHost::Outcome;
using Verdict = AddressGuard::Verdict;

struct NameTable::Entry : base::ListNode {
  Entry(NameTable& table, const HostName& name)
      : name(name),
        usage(std::make_shared<Usage>(table.loop_.now())),
        due(table.loop_.timers(), [&table, this] { table.onDue(*this); }),
        timeout(table.loop_.timers(), [&table, this] { table.onTimeout(*this); }) {}

  const HostName name;
  const std::shared_ptr<Usage> usage;
  ResolvedHostPtr host;   // null: no answer came so far
  uint32_t failures = 0;  // in a row
  std::vector<std::shared_ptr<ViewLink>> views;
  event::Timer due, timeout;
  std::unique_ptr<net::DnsQuery> query;
};

namespace {

void tell(const std::shared_ptr<ViewLink>& view, ResolvedHostPtr host) {
  view->loop.post([view, host = std::move(host)] {
    if (view->view != nullptr) view->view->onResolved(host);
  });
}

// Details are one word.
std::string failureDetails(std::string_view why) {
  std::string word(why);
  std::replace(word.begin(), word.end(), ' ', '_');
  return base::strCat("dns_resolution_failure{", word, "}");
}

}  // namespace

NameTable::NameTable(const DnsCache& cache, Settings settings, const std::string& prefix, World world)
    : cache_(&cache),
      settings_(std::move(settings)),
      loop_(world.loop),
      cells_(world.cells),
      scope_(std::move(world.stats)),
      stats_(makeStats(*scope_, prefix)),
      resolver_(std::move(world.resolver)),
      random_(world.seed) {}

NameTable::~NameTable() = default;

NameTable::Stats NameTable::makeStats(observability::Scope& scope, const std::string& prefix) {
  const auto counter = [&](const char* name) { return scope.counter(prefix + name); };
  return {.attempt = counter("dns_query_attempt"),
          .success = counter("dns_query_success"),
          .failure = counter("dns_query_failure"),
          .timeout = counter("dns_query_timeout"),
          .added = counter("host_added"),
          .removed = counter("host_removed"),
          .changed = counter("host_address_changed"),
          .overflow = counter("host_overflow"),
          .filtered = counter("dns_address_filter_out"),
          .internal = counter("internal_address_refused"),
          .hosts = scope.gauge(prefix + "num_hosts")};
}

void NameTable::start() {
  for (const HostName& name : settings_.preresolved) {
    if (!entries_.contains(name.key)) resolve(add(name));
  }
}

void NameTable::ask(const HostName& name, const std::shared_ptr<ViewLink>& view) {
  const auto known = entries_.find(name.key);
  if (known == entries_.end()) {
    if (!makeRoom()) {
      cells_.add(stats_.overflow);
      const std::shared_ptr<ResolvedHost> full = describe(name);
      full->outcome = Outcome::kFull;
      full->details = "dns_cache_overflow";
      return tell(view, full);
    }
    Entry& entry = add(name);
    entry.views.push_back(view);
    return resolve(entry);
  }
  Entry& entry = *known->second;
  entry.usage->touch(loop_.now());
  if (std::find(entry.views.begin(), entry.views.end(), view) == entry.views.end()) entry.views.push_back(view);
  if (entry.host) tell(view, entry.host);
}

void NameTable::leave(const std::shared_ptr<ViewLink>& view) {
  for (const auto& [key, entry] : entries_) std::erase(entry->views, view);
}

bool NameTable::makeRoom() {
  if (entries_.size() < settings_.max_hosts) return true;
  Entry* const leaves = failed_.empty() ? firstNotInUse() : &failed_.front();
  if (leaves == nullptr) return false;
  remove(*leaves);
  return true;
}

// Looks at a few only: whoever asks for many names does not make main search a large cache for each.
NameTable::Entry* NameTable::firstNotInUse() {
  constexpr int kLookedAt = 16;
  for (int i = 0; i < kLookedAt && !resolved_.empty(); ++i) {
    Entry& entry = resolved_.front();
    if (entry.usage->idle(loop_.now()) >= kInUse) return &entry;
    resolved_.pushBack(entry);
  }
  return nullptr;
}

NameTable::Entry& NameTable::add(const HostName& name) {
  cells_.add(stats_.added);
  cells_.add(stats_.hosts);
  return *entries_.emplace(name.key, std::make_unique<Entry>(*this, name)).first->second;
}

void NameTable::remove(Entry& entry) {
  cells_.add(stats_.removed);
  cells_.sub(stats_.hosts);
  for (const std::shared_ptr<ViewLink>& view : entry.views) {
    view->loop.post([view, key = entry.name.key] {
      if (view->view != nullptr) view->view->onForgotten(key);
    });
  }
  entries_.erase(entries_.find(entry.name.key));
}

void NameTable::resolve(Entry& entry) {
  cells_.add(stats_.attempt);
  const event::Duration deadline =
      settings_.query_timeout.count() > 0 ? event::Duration(settings_.query_timeout) : kLookupDeadline;
  entry.timeout.arm(deadline);
  entry.query = resolver_->resolve(entry.name.host, settings_.lookup_family, [this, &entry](net::DnsResult result) {
    entry.timeout.cancel();
    onResult(entry, std::move(result));
  });
}

void NameTable::onDue(Entry& entry) {
  if (entry.usage->idle(loop_.now()) > settings_.host_ttl) return remove(entry);
  resolve(entry);
}

void NameTable::onTimeout(Entry& entry) {
  cells_.add(stats_.timeout);
  net::DnsResult result;
  result.detail = "resolve_timeout";
  onResult(entry, std::move(result));
}

void NameTable::onResult(Entry& entry, net::DnsResult result) {
  entry.query.reset();
  const bool failed = result.status == net::DnsResult::Status::kFailed;
  cells_.add(failed ? stats_.failure : stats_.success);
  net::Address refused;
  std::vector<net::Address> addresses = allowed(entry, result, refused);
  entry.failures = failed ? entry.failures + 1 : 0;
  entry.due.arm(untilNext(entry, result));
  if (!addresses.empty()) return take(entry, std::move(addresses));
  if (refused) {
    fail(entry, Outcome::kRefused, base::strCat("dns_address_refused{", refused.ip(), "}"));
  } else {
    fail(entry, Outcome::kFailed, failureDetails(result.detail));
  }
}

std::vector<net::Address> NameTable::allowed(const Entry& entry, const net::DnsResult& result, net::Address& refused) {
  std::vector<net::Address> out;
  for (const net::Address& address : result.addresses) {
    const Verdict verdict = settings_.guard.check(address);
    if (verdict == Verdict::kAllowed) {
      if (out.size() < kMaxAddresses) out.push_back(address.withPort(entry.name.port));
      continue;
    }
    cells_.add(verdict == Verdict::kFiltered ? stats_.filtered : stats_.internal);
    refused = address;
  }
  return out;
}

void NameTable::take(Entry& entry, std::vector<net::Address> addresses) {
  resolved_.pushBack(entry);
  if (entry.host && entry.host->addresses == addresses) return;
  cells_.add(stats_.changed);
  const std::shared_ptr<ResolvedHost> host = describe(entry.name);
  host->outcome = Outcome::kResolved;
  host->addresses = std::move(addresses);
  publish(entry, host);
}

// One that had an address keeps it.
void NameTable::fail(Entry& entry, Outcome outcome, std::string details) {
  if (entry.host && entry.host->outcome == Outcome::kResolved) return;
  failed_.pushBack(entry);
  if (entry.host && entry.host->outcome == outcome && entry.host->details == details) return;
  const std::shared_ptr<ResolvedHost> host = describe(entry.name);
  host->outcome = outcome;
  host->details = std::move(details);
  publish(entry, host);
}

void NameTable::publish(Entry& entry, ResolvedHostPtr host) {
  entry.host = std::move(host);
  for (const std::shared_ptr<ViewLink>& view : entry.views) tell(view, entry.host);
}

std::shared_ptr<ResolvedHost> NameTable::describe(const HostName& name) const {
  auto host = std::make_shared<ResolvedHost>();
  host->cache = cache_;
  host->name = name;
  const auto entry = entries_.find(name.key);
  if (entry != entries_.end()) host->usage = entry->second->usage;
  return host;
}

event::Duration NameTable::untilNext(Entry& entry, const net::DnsResult& result) {
  if (result.status == net::DnsResult::Status::kFailed) {
    if (settings_.failure_base_interval.count() == 0) return settings_.refresh_rate;
    return base::failureDelay(entry.failures, settings_.failure_base_interval, settings_.failure_max_interval, random_);
  }
  if (result.addresses.empty() || result.ttl.count() == 0) return settings_.refresh_rate;
  return std::max<event::Duration>(std::min(result.ttl, kMaxTtl), settings_.min_refresh_rate);
}

}  // namespace sluice::dns_cache
