// The names of a cache on main: lookups, refreshes, and who is told of the answers.
//
// - A name is asked for when somebody wants it first, and again after its time to live (at least min_refresh_rate, at
//   most kMaxTtl; refresh_rate if the answer has none); after failures, in failure_*_interval. Each time it is looked
//   whether anybody wanted it within host_ttl: else it goes.
// - A name that has addresses keeps them through failures, empty answers, and answers that lead inside only.
// - A lookup without an answer is given up after query_timeout.
// - At max_hosts the name whose lookup failed longest ago makes room for another one, so that names which are none keep
//   nobody out; if there is none, one goes that has addresses and that nobody wanted for kInUse, so that a client keeps
//   names out only as far as it keeps others in use. Else the asker is told that the cache is full.
//
// Thread: main.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/base/random.h"
#include "source/dns_cache/name_view.h"
#include "source/dns_cache/resolved_host.h"
#include "source/dns_cache/settings.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/observability/stats.h"

namespace sluice::dns_cache {

class NameTable {
 public:
  static constexpr std::chrono::seconds kLookupDeadline{30};
  static constexpr std::chrono::seconds kMaxTtl{3600};
  static constexpr std::chrono::seconds kInUse{10};
  // Of an answer with more the first are taken.
  static constexpr size_t kMaxAddresses = 16;

  struct World {
    event::Loop& loop;
    observability::StatsCells& cells;
    observability::StatsScope stats;
    std::unique_ptr<net::DnsResolver> resolver;
    uint64_t seed;
  };
  // `cache`: told by its address in what is found. `prefix`: of the stats.
  NameTable(const DnsCache& cache, Settings settings, const std::string& prefix, World world);
  ~NameTable();
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  // Asks for the names that are to be known beforehand.
  void start();
  // Tells the view what the name stands for, now or when it is known, and of all changes.
  void ask(const HostName& name, const std::shared_ptr<ViewLink>& view);
  // The view is gone.
  void leave(const std::shared_ptr<ViewLink>& view);

  size_t size() const { return entries_.size(); }

 private:
  struct Entry;
  struct Stats {
    observability::Counter attempt, success, failure, timeout;
    observability::Counter added, removed, changed, overflow;
    observability::Counter filtered, internal;
    observability::Gauge hosts;
  };

  static Stats makeStats(observability::Scope& scope, const std::string& prefix);
  bool makeRoom();
  Entry* firstNotInUse();
  Entry& add(const HostName& name);
  void remove(Entry& entry);
  void resolve(Entry& entry);
  void onDue(Entry& entry);
  void onTimeout(Entry& entry);
  void onResult(Entry& entry, net::DnsResult result);
  // Those that may be reached; `refused`: one that may not.
  std::vector<net::Address> allowed(const Entry& entry, const net::DnsResult& result, net::Address& refused);
  void take(Entry& entry, std::vector<net::Address> addresses);
  void fail(Entry& entry, ResolvedHost::Outcome outcome, std::string details);
  void publish(Entry& entry, ResolvedHostPtr host);
  std::shared_ptr<ResolvedHost> describe(const HostName& name) const;
  event::Duration untilNext(Entry& entry, const net::DnsResult& result);

  const DnsCache* const cache_;
  const Settings settings_;
  event::Loop& loop_;
  observability::StatsCells& cells_;
  const observability::StatsScope scope_;
  const Stats stats_;
  const std::unique_ptr<net::DnsResolver> resolver_;
  base::Random random_;
  base::List<Entry> failed_;    // without an address, in the order in which they failed
  base::List<Entry> resolved_;  // in the order in which they were answered, or seen in use when room was made
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
};

}  // namespace sluice::dns_cache
