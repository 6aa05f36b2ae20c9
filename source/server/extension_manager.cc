#include "source/server/extension_manager.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/bootstrap.h"
#include "source/config/config_source.h"
#include "source/server/init_manager.h"

namespace sluice::server {

using config::Context;

ExtensionManager::Entry ExtensionManager::makeEntry(std::string_view stat_group, const std::string& name) {
  Entry entry;
  entry.scope = stats_.scope(stat_group, name);
  entry.reload = entry.scope.counter("config_reload");
  entry.fail = entry.scope.counter("config_fail");
  entry.may_come_until = main_.now() + patience;
  return entry;
}

bool ExtensionManager::follow(std::shared_ptr<config::ExtensionUser> user, const std::string& name,
                              const Source& source, const Context& context) {
  const config::ErrorMark mark(context);
  const auto compiled = config::compileConfigSource(source, context);
  if (!compiled) return false;
  const bool self = compiled->kind == config::ResourceSource::Kind::kSelf && !self_source.empty();
  if (!self && !config::checkSource(*compiled, bootstrap_, context)) return false;
  const ResourceKey key = keyOf(source, name, self_source);
  if (compiling_.contains(key)) {
    context.error(absl::StrCat("brings the configuration '", name, "', of which this is a part; name another one"));
    return false;
  }
  const auto [at, added] = entries_.try_emplace(key);
  if (added) at->second = makeEntry(user->statGroup(), name);
  Entry& entry = at->second;
  if (entry.config) {
    // It is good for those that have it; for this one its configuration is another one.
    if (const auto put = prepare(key, *user, *entry.config, context)) put();
  } else if (entry.given_up) {
    user->givenUp(timeUntil(main_, entry.may_come_until));
  }
  entry.users.push_back(std::move(user));
  if (added && on_wanted) on_wanted(key, source);
  return !mark.hit();
}

// What it consists of may come by its name, too, but not be the same.
std::function<void()> ExtensionManager::prepare(const ResourceKey& key, config::ExtensionUser& user,
                                                const google::protobuf::Any& typed_config, const Context& context) {
  compiling_.insert(key);
  std::function<void()> put = user.prepare(typed_config, context);
  compiling_.erase(key);
  return put;
}

std::function<void()> ExtensionManager::userEnded() {
  return [this, alive = std::weak_ptr<bool>(alive_), &main = main_] {
    main.post([this, alive] {
      if (!alive.expired()) sweep();
    });
  };
}

void ExtensionManager::set(const ResourceKey& key, const google::protobuf::Any& typed_config, const Context& context) {
  const auto known = entries_.find(key);
  if (known == entries_.end()) return;
  Entry& entry = known->second;
  entry.leaving.reset();
  const config::ErrorMark mark(context);
  const Users users = entry.users;
  std::vector<std::function<void()>> puts;
  for (const auto& user : users) {
    if (!user->alive()) continue;
    if (auto put = prepare(key, *user, typed_config, context)) puts.push_back(std::move(put));
    if (mark.hit()) return cells_.add(entry.fail);  // what one user cannot take is told once
  }
  entry.config = typed_config;
  entry.given_up = false;
  cells_.add(entry.reload);
  for (const auto& put : puts) put();
}

void ExtensionManager::remove(const ResourceKey& key) {
  const auto known = entries_.find(key);
  if (known == entries_.end() || !known->second.config || known->second.leaving) return;
  if (patience.count() == 0) return drop(key);
  std::unique_ptr<event::Timer>& leaving = known->second.leaving;
  leaving = std::make_unique<event::Timer>(main_.timers(), [this, key] { drop(ResourceKey(key)); });
  leaving->arm(patience);
}

void ExtensionManager::drop(const ResourceKey& key) {
  Entry& entry = entries_.at(key);
  if (std::exchange(entry.leaving, nullptr)) {
    logger_.warning("xds", "configuration of filter '", key.name, "' was removed ", patience.count(),
                    " ms ago and is named still; its default holds from now on, or its requests are answered 500");
  }
  entry.config.reset();
  entry.given_up = true;
  entry.may_come_until = main_.now();
  const Users users = entry.users;
  for (const auto& user : users) user->removed();
}

void ExtensionManager::giveUp(const ResourceKey& key) {
  const auto known = entries_.find(key);
  if (known == entries_.end() || known->second.config) return;
  known->second.given_up = true;
  const Users users = known->second.users;  // what waited for it may take over meanwhile
  const auto grace = timeUntil(main_, known->second.may_come_until);
  for (const auto& user : users) user->givenUp(grace);
}

void ExtensionManager::sweep() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    std::erase_if(at->second.users, [](const auto& user) { return !user->alive(); });
    if (!at->second.users.empty()) {
      ++at;
      continue;
    }
    const ResourceKey key = at->first;
    at = entries_.erase(at);
    if (on_unwanted) on_unwanted(key);
  }
}

}  // namespace sluice::server
