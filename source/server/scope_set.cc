#include "source/server/scope_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::server {

ScopeSet::ScopeSet(Deps deps, uint32_t id, config::CompiledScopes config, std::string source,
                   config::ChainFilters chain, std::string stat_prefix, observability::Scope stats)
    : deps_(deps),
      id_(id),
      config_(std::move(config)),
      source_(std::move(source)),
      chain_(std::move(chain)),
      stat_prefix_(std::move(stat_prefix)),
      stats_(std::move(stats)),
      began_(deps_.main.now()),
      config_reload_(stats_.counter("config_reload")),
      shown_{stats_.gauge("all_scopes"), stats_.gauge("on_demand_scopes"), stats_.gauge("active_scopes")} {}

ScopeSet::~ScopeSet() {
  for (auto& [name, member] : members_) answer(member);
  members_.clear();
  tell();
  deps_.workers.postAll([id = id_](Worker& worker) { worker.scopes().set(id, nullptr); });
  for (const auto& done : answered_) done();
}

void ScopeSet::put(ScopePtr scope, config::InitTargets* init, const config::Context& context) {
  Member& member = members_[scope->name];
  const ScopePtr before = std::exchange(member.scope, scope);
  changed_ = true;
  const bool same_table = before != nullptr && !scope->routes.empty() && before->routes == scope->routes;
  if (same_table && (member.serving || member.coming)) return;
  member.wait.reset();
  member.coming.reset();
  if (scope->table) {
    member.serving = deps_.routes.inlineTable(scope->table);
    return answer(member);
  }
  // What served goes on serving, so requests cannot ask for what is to take its place.
  member.asked |= member.serving != nullptr;
  if (!scope->on_demand || member.asked) askForTable(member, init, context);
}

void ScopeSet::askForTable(Member& member, config::InitTargets* init, const config::Context& context) {
  const std::string& name = member.scope->name;
  const bool replaces = replaces_ && first_.pending();
  auto wait = std::make_unique<InitManager>(deps_.main, deps_.logger, absl::StrCat("scope '", name, "'"), replaces,
                                            replaces ? began_ + deps_.routes.patience : event::TimePoint());
  // While a table serves, another one takes its place no sooner than it is there.
  config::InitTargets* const until_settled = member.serving ? nullptr : init == nullptr ? wait.get() : init;
  auto slot = deps_.routes.usedBy(deps_.routes.rds(member.scope->routes, *config_.rds_source, until_settled, context),
                                  chain_, stat_prefix_);
  if (!slot) return answer(member);
  if (member.serving) deps_.routes.awaitTable(*slot, *wait);
  if (wait->waits().empty()) {
    member.serving = std::move(slot);
    return answer(member);
  }
  member.coming = std::move(slot);
  member.wait = std::move(wait);
  member.wait->start([this, name] { takeOver(name); });
}

void ScopeSet::takeOver(const std::string& name) {
  Member& member = members_.at(name);
  // Where nothing has served the workers have its place: a change for each of many tables would be one of all scopes.
  const bool known = !member.serving && !member.scope->on_demand;
  member.serving = std::move(member.coming);
  const std::unique_ptr<InitManager> over = std::move(member.wait);
  answer(member);
  changed_ = changed_ || !known || !answered_.empty();
  publish();
  if (whole_) settle();
}

void ScopeSet::demand(std::string_view key, std::function<void()> done) {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [key](const auto& member) { return member.second.scope->key == key; });
  if (found == members_.end() || found->second.serving) {
    if (!changed_) return done();  // what the worker does not have is on its way
    answered_.push_back(std::move(done));
    return;
  }
  Member& member = found->second;
  member.demands.push_back(std::move(done));
  if (member.wait) return;
  member.asked = changed_ = true;
  config::ErrorList errors;  // what it needs was checked with the connection manager
  askForTable(member, nullptr, config::Context(errors));
  if (!member.wait) publish();
}

void ScopeSet::waitWith(config::InitTarget target, bool replaces) {
  first_ = std::move(target);
  replaces_ = replaces;
}

std::string ScopeSet::waitsOf(const std::string& name) const {
  const auto member = members_.find(name);
  return member == members_.end() || !member->second.wait ? std::string() : member->second.wait->waits();
}

// Whoever waits for the table goes on once the workers have what there is.
void ScopeSet::answer(Member& member) {
  std::move(member.demands.begin(), member.demands.end(), std::back_inserter(answered_));
  member.demands.clear();
}

void ScopeSet::remove(const std::string& name) {
  const auto member = members_.find(name);
  if (member == members_.end()) return;
  answer(member->second);
  members_.erase(member);
  changed_ = true;
}

void ScopeSet::publish() {
  if (!std::exchange(changed_, false)) return;
  route::ScopeIndex::Scopes scopes;
  for (const auto& [name, member] : members_) {
    // Requests of a scope that has never served are answered 404 by the empty place, unless they may wait.
    scopes[member.scope->key].table = member.serving || member.scope->on_demand ? member.serving : member.coming;
  }
  const auto index = std::make_shared<const route::ScopeIndex>(std::move(scopes));
  published_ = index;
  deps_.workers.postAll([id = id_, index](Worker& worker) { worker.scopes().set(id, index); });
  deps_.cells.add(config_reload_);
  tell();
  for (const auto& done : std::exchange(answered_, {})) done();
}

// Two generations of a connection manager may count at the same time.
void ScopeSet::tell() {
  Counts now{};
  for (const auto& [name, member] : members_) {
    ++now[0];
    if (member.scope->on_demand) ++now[1];
    if (member.serving || member.coming) ++now[2];
  }
  for (size_t i = 0; i < now.size(); ++i) deps_.cells.add(shown_[i], now[i] - std::exchange(counts_[i], now[i]));
}

void ScopeSet::settle() {
  whole_ = true;
  // What takes the place of a table that serves may never come.
  const auto waits = [](const auto& member) { return member.second.wait && !member.second.serving; };
  if (std::none_of(members_.begin(), members_.end(), waits)) first_.ready();
}

}  // namespace sluice::server
