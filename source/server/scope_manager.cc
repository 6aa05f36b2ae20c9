#include "source/server/scope_manager.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::server {

std::shared_ptr<const route::ScopesSlot> ScopeManager::scopes(config::CompiledScopes scopes,
                                                              const config::ChainFilters& chain,
                                                              const std::string& stat_prefix, config::InitTargets* init,
                                                              const config::Context& context) {
  const config::ErrorMark mark(context);
  std::string source;
  if (scopes.scopes_source) {
    if (!on_wanted) {
      context.error("no xDS client runs in this process");
      return nullptr;
    }
    source = keyOf(*scopes.scopes_source, {}, self_source).source;
  }
  std::shared_ptr<const route::ScopesSlot> slot = makeSlot(scopes.builder);
  observability::Scope stats = stats_.scope("http", stat_prefix).scope("scoped_rds", scopes.name);
  const auto made = sets_.emplace(
      slot->id, std::make_unique<ScopeSet>(ScopeSet::Deps{main_, workers_, routes_, logger_, cells_}, slot->id,
                                           std::move(scopes), std::move(source), chain, stat_prefix, std::move(stats)));
  ScopeSet& set = *made.first->second;
  for (const ScopePtr& scope : set.config().fixed) set.put(scope, init, context);
  if (set.config().scopes_source) join(set, init, context);
  set.publish();
  if (mark.hit()) return nullptr;
  return slot;
}

std::shared_ptr<const route::ScopesSlot> ScopeManager::makeSlot(const route::ScopeKeyBuilder& builder) {
  uint32_t id = next_id_;
  if (free_ids_.empty()) {
    ++next_id_;
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  // The last connection of an old listener may let go of it on a worker.
  const auto ask = [this, alive = std::weak_ptr<bool>(alive_), id](const std::string& key, uint32_t worker) {
    if (!alive.expired()) demand(id, key, worker);
  };
  return {new route::ScopesSlot{id, builder, ask},
          [this, &main = main_, alive = std::weak_ptr<bool>(alive_)](const route::ScopesSlot* slot) {
            main.post([this, alive, id = slot->id] {
              if (!alive.expired()) release(id);
            });
            delete slot;
          }};
}

void ScopeManager::demand(uint32_t id, const std::string& key, uint32_t worker) {
  auto done = [this, id, key, worker] {
    workers_.at(worker).post([id, key](Worker& told) {
      told.routeDemands().done({session::RouteDemand::Of::kScope, id, key});
    });
  };
  const auto set = sets_.find(id);
  set == sets_.end() ? done() : set->second->demand(key, std::move(done));
}

void ScopeManager::release(uint32_t id) {
  const auto set = sets_.find(id);
  const std::string source = set->second->source();
  const auto feed = feeds_.find(source);
  if (feed != feeds_.end()) {
    feed->second.users.erase(set->second.get());
    if (feed->second.users.empty()) {
      feeds_.erase(feed);
      if (on_unwanted) on_unwanted(source);
    }
  }
  sets_.erase(set);
  free_ids_.push_back(id);
}

// All scopes of a source are those of the set, too.
void ScopeManager::join(ScopeSet& set, config::InitTargets* init, const config::Context& context) {
  const auto [at, is_new] = feeds_.try_emplace(set.source());
  Feed& feed = at->second;
  if (is_new) feed.wanted = main_.now();
  feed.users.insert(&set);
  for (const auto& [name, scope] : feed.scopes) set.put(scope, init, context);
  if (feed.came) return set.settle();
  if (init != nullptr) set.waitWith(init->add(absl::StrCat("scopes '", set.name(), "'")), init->replaces());
  if (feed.given_up) set.giveUp(timeUntil(main_, feed.wanted + routes_.patience));
  if (is_new) on_wanted(*set.config().scopes_source);
}

void ScopeManager::begin(const xds::Update& update) {
  const auto feed = feeds_.find(update.source);
  if (feed == feeds_.end()) return;
  for (const xds::UpdatedResource& resource : update.changed) {
    const auto known = feed->second.scopes.find(resource.name);
    if (known != feed->second.scopes.end()) feed->second.name_by_key.erase(known->second->key);
  }
}

void ScopeManager::set(std::string_view source, ScopePtr scope, const config::Context& context) {
  const auto found = feeds_.find(source);
  if (found == feeds_.end()) return;
  Feed& feed = found->second;
  if (const auto [other, added] = feed.name_by_key.try_emplace(scope->key, scope->name); !added) {
    return context.child("key").error(absl::StrCat("scope '", scope->name, "' has the key of scope '", other->second,
                                                   "', ", scope->key_text,
                                                   "; a request can be of one scope only, change one of them"));
  }
  feed.scopes[scope->name] = scope;
  config::ErrorList errors;  // what it needs was checked with the connection managers
  for (ScopeSet* user : feed.users) user->put(scope, nullptr, config::Context(errors));
}

void ScopeManager::remove(std::string_view source, const std::string& name) {
  const auto feed = feeds_.find(source);
  if (feed == feeds_.end()) return;
  const auto scope = feed->second.scopes.find(name);
  if (scope == feed->second.scopes.end()) return;
  const auto key = feed->second.name_by_key.find(scope->second->key);
  if (key != feed->second.name_by_key.end() && key->second == name) feed->second.name_by_key.erase(key);
  feed->second.scopes.erase(scope);
  for (ScopeSet* user : feed->second.users) user->remove(name);
}

// A scope whose change was refused serves on with its key, unless another one has got that meanwhile.
void ScopeManager::reclaimKeys(Feed& feed) {
  for (auto at = feed.scopes.begin(); at != feed.scopes.end();) {
    const auto [holder, added] = feed.name_by_key.try_emplace(at->second->key, at->first);
    if (added || holder->second == at->first) {
      ++at;
      continue;
    }
    logger_.warning("xds", "scope '", at->first, "' serves no more: its change was refused, and its key ",
                    at->second->key_text, " is that of scope '", holder->second, "' now");
    for (ScopeSet* user : feed.users) user->remove(at->first);
    at = feed.scopes.erase(at);
  }
}

void ScopeManager::end(std::string_view source) {
  const auto feed = feeds_.find(source);
  if (feed == feeds_.end()) return;
  reclaimKeys(feed->second);
  if (feed->second.scopes.empty() && !feed->second.came) return giveUp(source);
  feed->second.came = true;
  for (ScopeSet* user : feed->second.users) {
    user->publish();
    user->settle();
  }
}

void ScopeManager::giveUp(std::string_view source) {
  const auto feed = feeds_.find(source);
  if (feed == feeds_.end() || feed->second.came) return;
  feed->second.given_up = true;
  for (ScopeSet* user : feed->second.users) user->giveUp(timeUntil(main_, feed->second.wanted + routes_.patience));
}

std::string ScopeManager::waitsOf(std::string_view source, const std::string& name) const {
  const auto feed = feeds_.find(source);
  if (feed == feeds_.end()) return {};
  for (const ScopeSet* user : feed->second.users) {
    if (std::string waits = user->waitsOf(name); !waits.empty()) return waits;
  }
  return {};
}

std::shared_ptr<const route::ScopeIndex> ScopeManager::servingIn(const route::ScopesSlot& slot) const {
  const auto set = sets_.find(slot.id);
  return set == sets_.end() ? nullptr : set->second->published();
}

void ScopeManager::forEachFixed(const std::function<void(const ScopeSet&)>& visit) const {
  for (const auto& [id, set] : sets_) {
    if (!set->config().fixed.empty()) visit(*set);
  }
}

}  // namespace sluice::server
