// Hosts by name, looked up when somebody wants to go there: what forward proxies send requests by.
//
//   Main has one NameTable for each cache, which asks the DNS, refreshes what is in use and forgets the rest. Each
//   worker has a NameView: what it was told of the names that it asked for. So a request pays a look into a map of its
//   own worker; only the first for a name goes by way of main.
//
// An address gets out of a cache only if its guard lets it (address_guard.h), and what is connected to is that very
// address: no name is looked up a second time in between. Thread: made on main; ask() on workers; it may be destroyed
// on any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "source/dns_cache/name_table.h"
#include "source/dns_cache/name_view.h"
#include "source/dns_cache/pending_limit.h"
#include "source/dns_cache/resolved_host.h"
#include "source/dns_cache/settings.h"
#include "source/dns_cache/waiter.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/observability/stats.h"
#include "source/worker/local.h"
#include "source/worker/services.h"

namespace sluice::dns_cache {

class DnsCache {
 public:
  // What it works with on main. All of it outlives the cache but the resolver, which is its own.
  struct World {
    event::Loop& main;
    observability::StatsCells& cells;  // main's
    observability::StatsScope stats;
    worker::LocalSlots slots;
    std::unique_ptr<net::DnsResolver> resolver;
    uint64_t seed = 1;  // of jitter
  };

  // Of a configuration that is only checked: nobody asks it.
  explicit DnsCache(Settings settings);
  DnsCache(Settings settings, World world);
  ~DnsCache();
  DnsCache(const DnsCache&) = delete;
  DnsCache& operator=(const DnsCache&) = delete;

  const Settings& settings() const { return settings_; }

  enum class Asked : uint8_t {
    kKnown,    // `host` says it
    kWaiting,  // `waiter` will be told
    kTooMany,  // as many wait as may; counted
  };
  struct Answer {
    Asked asked;
    ResolvedHostPtr host;  // null unless kKnown
  };
  // Worker. `waiter` does not wait for anything else; the cache outlives it.
  Answer ask(worker::WorkerServices& worker, const HostName& name, Waiter& waiter) const;

 private:
  // All that needs a process to serve in.
  struct Live;

  const Settings settings_;
  const std::unique_ptr<Live> live_;  // null: only checked
};

}  // namespace sluice::dns_cache
