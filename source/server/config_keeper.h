// Keeps a store of what the control plane sent up to date, and says what stood in it at the start.
//
// It is written on a thread of its own, a second after something has changed at the earliest and all of it together.
// What a server has not spoken of yet, or of which nothing was accepted, stays as it was read. What has a TTL is not
// kept. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/event/loop.h"
#include "source/event/timer.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/config_store.h"
#include "source/worker/thread_pool.h"

namespace sluice::xds {
class Subscriptions;
}  // namespace sluice::xds

namespace sluice::server {

class ConfigKeeper {
 public:
  // So long servers have to say something before what is stored serves.
  static constexpr std::chrono::milliseconds kPatience{1000};
  static constexpr std::chrono::milliseconds kBetweenWrites{1000};
  static constexpr std::chrono::milliseconds kAfterFailure{30'000};

  // Reads the store; one that is no good is told of in the log, and as if there was none.
  ConfigKeeper(event::Loop& main, observability::Logger& logger, observability::StatsRegistry& stats,
               observability::StatsCells& cells, ConfigStore store);
  // Writes what has not been written.
  ~ConfigKeeper();
  ConfigKeeper(const ConfigKeeper&) = delete;
  ConfigKeeper& operator=(const ConfigKeeper&) = delete;

  // Null: nothing is stored of it.
  std::shared_ptr<const xds::StoredType> stored(std::string_view type_url, const std::string& source) const;
  // Something was taken of a control plane, or is gone.
  void onChange();
  // What there is now; set before anything comes, and null before it goes.
  const xds::Subscriptions* subscriptions = nullptr;

 private:
  using Key = std::pair<std::string, std::string>;  // type, source

  ConfigStore::Contents collect();
  void write();
  void written(const absl::Status& status);

  event::Loop& main_;
  observability::Logger& logger_;
  observability::StatsCells& cells_;
  const std::shared_ptr<const ConfigStore> store_;
  std::map<Key, std::shared_ptr<const xds::StoredType>> before_;  // of an earlier process
  std::unique_ptr<worker::ThreadPool> thread_ = std::make_unique<worker::ThreadPool>(worker::ThreadPool::Size{1, 1, 1});
  std::unique_ptr<worker::ThreadPool::Task> writing_;
  bool dirty_ = false;
  std::string told_;  // what was wrong the last time
  event::Timer timer_{main_.timers(), [this] { write(); }};
  const observability::Counter write_success_, write_failure_;
};

}  // namespace sluice::server
