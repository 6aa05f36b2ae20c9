#include "source/dns_cache/dns_cache.h"

#include <cassert>
#include <string>
#include <utility>

namespace sluice::dns_cache {

struct DnsCache::Live {
  Live(const DnsCache& cache, World world)
      : main(world.main),
        stats(world.stats),
        overflow(stats->counter(prefixOf(cache) + "dns_rq_pending_overflow")),
        pending(cache.settings_.max_pending_requests,
                {stats->gauge(prefixOf(cache) + "circuit_breakers.rq_pending_open"),
                 stats->gauge(prefixOf(cache) + "circuit_breakers.rq_pending_remaining")},
                world.cells),
        table(std::make_shared<NameTable>(
            cache, cache.settings_, prefixOf(cache),
            NameTable::World{main, world.cells, stats, std::move(world.resolver), world.seed})),
        views(world.slots, [link = std::weak_ptr<NameTable>(table)](worker::WorkerServices& worker) {
          return std::make_unique<NameView>(worker, link);
        }) {}
  // The table's timers and lookups are main's.
  ~Live() {
    main.post([gone = std::move(table)] {});
  }

  static std::string prefixOf(const DnsCache& cache) { return "dns_cache." + cache.settings_.name + "."; }

  event::Loop& main;
  const observability::StatsScope stats;
  const observability::Counter overflow;
  PendingLimit pending;
  std::shared_ptr<NameTable> table;
  const worker::WorkerLocal<NameView> views;
};

DnsCache::DnsCache(Settings settings) : settings_(std::move(settings)) {}

DnsCache::DnsCache(Settings settings, World world)
    : settings_(std::move(settings)), live_(std::make_unique<Live>(*this, std::move(world))) {
  live_->table->start();
}

DnsCache::~DnsCache() = default;

DnsCache::Answer DnsCache::ask(worker::WorkerServices& worker, const HostName& name, Waiter& waiter) const {
  assert(live_ && !waiter.linked());
  NameView& view = live_->views.get(worker);
  if (ResolvedHostPtr host = view.find(name.key)) return {Asked::kKnown, std::move(host)};
  if (!live_->pending.tryTake(worker.cells)) {
    worker.cells.add(live_->overflow);
    return {Asked::kTooMany, nullptr};
  }
  waiter.limit_ = &live_->pending;
  waiter.cells_ = &worker.cells;
  view.wait(name, waiter);
  return {Asked::kWaiting, nullptr};
}

}  // namespace sluice::dns_cache
