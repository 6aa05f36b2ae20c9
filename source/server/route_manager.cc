#include "source/server/route_manager.h"

namespace sluice::server {

std::shared_ptr<const route::TableSlot> RouteManager::makeSlot(std::string name) {
  uint32_t id = next_id_;
  if (free_ids_.empty()) {
    ++next_id_;
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  // The last connection of an old listener may let go of it on a worker.
  return {new route::TableSlot{id}, [this, &main = main_, alive = std::weak_ptr<bool>(alive_),
                                     name = std::move(name)](const route::TableSlot* slot) {
            main.post([this, alive, id = slot->id, name] {
              if (!alive.expired()) release(id, name);
            });
            delete slot;
          }};
}

void RouteManager::release(uint32_t id, const std::string& name) {
  workers_.postAll([id](Worker& worker) { worker.tables().set(id, nullptr); });
  free_ids_.push_back(id);
  const auto entry = by_name_.find(name);
  if (name.empty() || entry == by_name_.end() || entry->second.id != id) return;
  by_name_.erase(entry);
  if (on_unwanted) on_unwanted(name);
}

std::shared_ptr<const route::TableSlot> RouteManager::inlineTable(std::shared_ptr<const route::Table> table) {
  std::shared_ptr<const route::TableSlot> slot = makeSlot({});
  workers_.postAll([id = slot->id, table](Worker& worker) { worker.tables().set(id, table); });
  return slot;
}

std::shared_ptr<const route::TableSlot> RouteManager::rds(const std::string& name, const Source& source,
                                                          const config::Context& context) {
  if (!on_wanted) {
    context.error("no xDS client runs in this process");
    return nullptr;
  }
  Entry& entry = by_name_[name];
  if (std::shared_ptr<const route::TableSlot> slot = entry.slot.lock()) return slot;
  std::shared_ptr<const route::TableSlot> slot = makeSlot(name);
  entry = Entry{slot, slot->id, false};
  on_wanted(name, source);
  return slot;
}

void RouteManager::setTable(const std::string& name, std::shared_ptr<const route::Table> table) {
  const auto entry = by_name_.find(name);
  if (entry == by_name_.end()) return;
  entry->second.settled = true;
  workers_.postAll([id = entry->second.id, table](Worker& worker) { worker.tables().set(id, table); });
  if (on_filled) on_filled(name);
}

void RouteManager::giveUp(const std::string& name) {
  const auto entry = by_name_.find(name);
  if (entry == by_name_.end() || entry->second.settled) return;
  entry->second.settled = true;
  if (on_filled) on_filled(name);
}

bool RouteManager::settled(const std::string& name) const {
  const auto entry = by_name_.find(name);
  return entry != by_name_.end() && entry->second.settled;
}

}  // namespace sluice::server
