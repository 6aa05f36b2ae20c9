// Route tables of the process: gives each a slot that is the same on every worker, and fills the slots.
//
// An inline table is in its slot from the start. A table by RDS has one slot for each name, shared by all connection
// managers that name it; it stays empty (requests are answered 404) until the first table comes.
// Thread: main. Slots may be let go of on any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "source/config/extensions.h"
#include "source/event/loop.h"
#include "source/route/table.h"
#include "source/server/worker.h"

namespace sluice::server {

class RouteManager : public config::RouteSlots {
 public:
  using Source = envoy::config::core::v3::ConfigSource;

  RouteManager(event::Loop& main, Workers& workers) : main_(main), workers_(workers) {}

  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table> table) override;
  std::shared_ptr<const route::TableSlot> rds(const std::string& name, const Source& source,
                                              const config::Context& context) override;

  // --- for the xDS client ---
  // Called when a name is wanted for the first time, and when the last user of it is gone.
  std::function<void(const std::string& name, const Source& source)> on_wanted;
  std::function<void(const std::string& name)> on_unwanted;
  // Called when a table (or the news that there will be none for now) came for `name`.
  std::function<void(const std::string& name)> on_filled;
  // Gives the table of a name that is wanted; others are ignored.
  void setTable(const std::string& name, std::shared_ptr<const route::Table> table);
  // No table came in time: whoever waits goes on without.
  void giveUp(const std::string& name);
  // True once setTable or giveUp was called for it.
  bool settled(const std::string& name) const;

 private:
  struct Entry {
    std::weak_ptr<const route::TableSlot> slot;
    uint32_t id = 0;
    bool settled = false;
  };
  std::shared_ptr<const route::TableSlot> makeSlot(std::string name);
  void release(uint32_t id, const std::string& name);

  event::Loop& main_;
  Workers& workers_;
  std::vector<uint32_t> free_ids_;
  uint32_t next_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // slots may outlive the manager
  std::map<std::string, Entry> by_name_;                        // RDS only
};

}  // namespace sluice::server
