#include "source/server/route_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::server {
namespace {

std::string ownerOf(const ResourceKey& key) {
  return absl::StrCat("routes '", key.name, "'");
}

}  // namespace

std::shared_ptr<const route::TableSlot> RouteManager::makeSlot(ResourceKey key) {
  uint32_t id = next_id_;
  if (free_ids_.empty()) {
    ++next_id_;
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  std::function<void(const std::string&, uint32_t)> ask;
  if (!key.name.empty()) {
    ask = [this, alive = std::weak_ptr<bool>(alive_), id, key](const std::string& host, uint32_t worker) {
      if (!alive.expired()) askForHost(id, key, host, worker);
    };
  }
  // The last connection of an old listener may let go of it on a worker.
  return {new route::TableSlot{id, std::move(ask)}, [this, &main = main_, alive = std::weak_ptr<bool>(alive_),
                                                     key = std::move(key)](const route::TableSlot* slot) {
            main.post([this, alive, id = slot->id, key] {
              if (!alive.expired()) release(id, key);
            });
            delete slot;
          }};
}

void RouteManager::askForHost(uint32_t id, const ResourceKey& key, const std::string& host, uint32_t worker) {
  auto done = [this, id, host, worker] {
    workers_.at(worker).post([id, host](Worker& told) {
      told.routeDemands().done({session::RouteDemand::Of::kHost, id, host});
    });
  };
  on_host_wanted ? on_host_wanted(key, host, std::move(done)) : done();
}

void RouteManager::release(uint32_t id, const ResourceKey& key) {
  fill(id, nullptr);
  inline_.erase(id);
  free_ids_.push_back(id);
  key_of_.erase(id);
  const auto entry = by_key_.find(key);
  if (key.name.empty() || entry == by_key_.end() || entry->second.id != id) return;
  by_key_.erase(entry);
  if (on_unwanted) on_unwanted(key);
}

void RouteManager::fill(uint32_t id, const std::shared_ptr<const route::Table>& table) {
  workers_.postAll([id, table](Worker& worker) { worker.tables().set(id, table); });
}

std::shared_ptr<const route::TableSlot> RouteManager::inlineTable(std::shared_ptr<const route::Table> table) {
  std::shared_ptr<const route::TableSlot> slot = makeSlot({});
  fill(slot->id, table);
  inline_[slot->id] = std::move(table);
  return slot;
}

std::shared_ptr<const route::TableSlot> RouteManager::rds(const std::string& name, const Source& source,
                                                          config::InitTargets* init, const config::Context& context) {
  if (!on_wanted) {
    context.error("no xDS client runs in this process");
    return nullptr;
  }
  const ResourceKey key = keyOf(source, name, self_source);
  const auto [at, is_new] = by_key_.try_emplace(key);
  Entry& entry = at->second;
  if (is_new) entry.wanted = main_.now();
  if (init != nullptr) wait(key, entry, *init);
  if (std::shared_ptr<const route::TableSlot> slot = entry.slot.lock()) return slot;
  std::shared_ptr<const route::TableSlot> slot = makeSlot(key);
  entry.slot = slot;
  entry.id = slot->id;
  key_of_[slot->id] = key;
  if (is_new) {
    on_wanted(key, source);
  } else if (entry.serving.table) {
    // The last user of the old slot has gone, and we have not heard of it yet: the name is subscribed still, so nothing
    // but what we know may ever come.
    fill(slot->id, entry.serving.table);
  }
  return slot;
}

void RouteManager::wait(const ResourceKey& key, Entry& entry, config::InitTargets& init) {
  if (entry.serving.table && !(entry.clusters && init.replaces())) return;
  auto& waits = init.replaces() ? entry.replacing : entry.waits;
  std::erase_if(waits, [](const config::InitTarget& wait) { return !wait.pending(); });
  waits.push_back(init.add(ownerOf(key)));
  if (entry.settled && !entry.serving.table) waits.back().absent(timeUntil(main_, entry.wanted + patience));
}

void RouteManager::awaitTable(const route::TableSlot& slot, config::InitTargets& init) {
  const auto key = key_of_.find(slot.id);
  if (key == key_of_.end()) return;
  Entry& entry = by_key_.at(key->second);
  if (entry.serving.table && !entry.clusters) return;
  std::erase_if(entry.awaited, [](const config::InitTarget& wait) { return !wait.pending(); });
  entry.awaited.push_back(init.add(ownerOf(key->second)));
}

std::shared_ptr<const route::TableSlot> RouteManager::usedBy(std::shared_ptr<const route::TableSlot> slot,
                                                             const config::ChainFilters& chain,
                                                             std::string_view stat_prefix) {
  if (!slot) return slot;
  const auto key = key_of_.find(slot->id);
  if (key == key_of_.end()) return slot;
  Entry& entry = by_key_.at(key->second);
  auto user = std::make_shared<User>();
  user->slot = std::move(slot);
  user->discovery = discoveryOf(key->second, entry, stat_prefix);
  user->filters = chain;
  user->stat_prefix = stat_prefix;
  entry.users.push_back(user);
  if (entry.serving.table) tellUnknownFilters(key->second, entry);
  return {user, user->slot.get()};
}

std::shared_ptr<const route::Table> RouteManager::tableOf(const route::TableSlot& slot) {
  const auto key = key_of_.find(slot.id);
  if (key == key_of_.end()) return nullptr;
  const Entry& entry = by_key_.at(key->second);
  return entry.coming ? entry.coming->version.table : entry.serving.table;
}

std::shared_ptr<const route::Table> RouteManager::servingIn(const route::TableSlot& slot) const {
  if (const auto fixed = inline_.find(slot.id); fixed != inline_.end()) return fixed->second;
  const auto key = key_of_.find(slot.id);
  return key == key_of_.end() ? nullptr : by_key_.at(key->second).serving.table;
}

std::vector<config::ChainFilters> RouteManager::chainsOf(const ResourceKey& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {};
  std::map<std::string, config::ChainFilters> newest;
  for (const std::weak_ptr<const User>& weak : found->second.users) {
    if (const std::shared_ptr<const User> user = weak.lock()) newest[user->stat_prefix] = user->filters;
  }
  std::vector<config::ChainFilters> out;
  for (auto& [prefix, filters] : newest) out.push_back(std::move(filters));
  return out;
}

std::shared_ptr<DiscoveryStats> RouteManager::discoveryOf(const ResourceKey& key, Entry& entry,
                                                          std::string_view stat_prefix) {
  std::erase_if(entry.discovery, [](const auto& known) { return known.second.expired(); });
  std::weak_ptr<DiscoveryStats>& known = entry.discovery[std::string(stat_prefix)];
  std::shared_ptr<DiscoveryStats> stats = known.lock();
  if (stats) return stats;
  stats = std::make_shared<DiscoveryStats>(DiscoveryStats::Of::kRoutes,
                                           stats_.scope("http", stat_prefix).scope("rds", key.name), cells_);
  known = stats;
  stats->asked();
  if (entry.serving.table) stats->accepted(entry.version, true);
  return stats;
}

void RouteManager::tellUnknownFilters(const ResourceKey& key, Entry& entry) {
  FilterNames known;
  std::erase_if(entry.users, [&known](const std::weak_ptr<const User>& weak) {
    const std::shared_ptr<const User> user = weak.lock();
    if (!user) return true;
    for (const auto& [name, filter] : user->filters) known.insert(name);
    return false;
  });
  if (entry.users.empty()) return;
  std::erase_if(entry.told,
                [&](const std::string& name) { return known.contains(name) || !entry.serving.filters.contains(name); });
  for (const std::string& name : entry.serving.filters) {
    if (!known.contains(name) && entry.told.insert(name).second && on_unknown_filter) on_unknown_filter(key, name);
  }
}

void RouteManager::setTable(const ResourceKey& key, std::shared_ptr<const route::Table> table, FilterNames filters,
                            const std::string& version) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  Entry& entry = found->second;
  entry.version = version;
  const event::TimePoint since = entry.coming ? entry.coming->since : main_.now();
  entry.coming.reset();
  forEachDiscovery(key.source, key.name, [&](DiscoveryStats& stats) { stats.accepted(version, true); });
  Version next{std::move(table), std::move(filters)};
  if (cluster_waits != nullptr && entry.serving.table && !next.table->hostsOnDemand()) {
    auto init = cluster_waits->make(ownerOf(key), next.table->clusters(), entry.serving.table->clusters(), since);
    if (init) {
      entry.coming = std::make_unique<Coming>(Coming{std::move(next), since, std::move(init)});
      return entry.coming->init->start([this, key, &entry] {
        const std::unique_ptr<Coming> coming = std::move(entry.coming);
        serve(key, entry, std::move(coming->version));
      });
    }
  }
  serve(key, entry, std::move(next));
}

void RouteManager::serve(const ResourceKey& key, Entry& entry, Version version) {
  const bool is_first = !entry.serving.table;
  entry.serving = std::move(version);
  fill(entry.id, entry.serving.table);
  tellUnknownFilters(key, entry);
  if (is_first || entry.clusters) awaitClusters(key, entry);
  settle(entry);
}

// Of the first table, and of another while those of the first are waited for: what serves in the place of those that
// wait for it does so until its clusters serve.
void RouteManager::awaitClusters(const ResourceKey& key, Entry& entry) {
  if (cluster_waits == nullptr || (entry.replacing.empty() && entry.awaited.empty())) return;
  // Those who waited for the table have used up some of their time; scopes have no limit.
  const event::TimePoint since = entry.awaited.empty() ? entry.wanted : main_.now();
  entry.clusters = cluster_waits->make(ownerOf(key), entry.serving.table->clusters(), {}, since);
  if (!entry.clusters) return;
  entry.clusters->start([&entry] {
    const std::unique_ptr<InitManager> done = std::move(entry.clusters);
    settle(entry);
  });
}

std::string RouteManager::waitsOf(const ResourceKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() || !found->second.coming ? std::string() : found->second.coming->init->waits();
}

void RouteManager::forEachComing(
    const std::function<void(const ResourceKey& key, const std::string& waits)>& visit) const {
  for (const auto& [key, entry] : by_key_) {
    if (entry.coming) visit(key, entry.coming->init->waits());
  }
}

void RouteManager::forEachDiscovery(std::string_view source, std::string_view name,
                                    const std::function<void(DiscoveryStats&)>& visit) {
  for (auto at = by_key_.lower_bound({std::string(source), std::string(name)}); at != by_key_.end(); ++at) {
    const auto& [key, entry] = *at;
    if (key.source != source || (!name.empty() && key.name != name)) return;
    for (const auto& [prefix, weak] : entry.discovery) {
      if (const std::shared_ptr<DiscoveryStats> stats = weak.lock()) visit(*stats);
    }
  }
}

void RouteManager::giveUp(const ResourceKey& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second.settled) return;
  Entry& entry = found->second;
  entry.settled = true;
  for (config::InitTarget& wait : std::exchange(entry.waits, {})) wait.ready();
  for (config::InitTarget& wait : std::exchange(entry.replacing, {})) {
    wait.absent(timeUntil(main_, entry.wanted + patience));
    if (wait.pending()) entry.replacing.push_back(std::move(wait));
  }
}

std::string RouteManager::missingOf(const ResourceKey& key) const {
  const auto found = by_key_.find(key);
  if (cluster_waits == nullptr || found == by_key_.end() || !found->second.serving.table) return {};
  return cluster_waits->missing(found->second.serving.table->clusters());
}

// There is a table: who waited may take over now.
void RouteManager::settle(Entry& entry) {
  entry.settled = true;
  for (config::InitTarget& wait : std::exchange(entry.waits, {})) wait.ready();
  if (entry.clusters) return;
  for (config::InitTarget& wait : std::exchange(entry.replacing, {})) wait.ready();
  for (config::InitTarget& wait : std::exchange(entry.awaited, {})) wait.ready();
}

bool RouteManager::settled(const ResourceKey& key) const {
  const auto entry = by_key_.find(key);
  return entry != by_key_.end() && entry->second.settled;
}

}  // namespace sluice::server
