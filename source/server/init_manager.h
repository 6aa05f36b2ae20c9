// What one thing waits for before it serves: a generation of a listener or a cluster, or the process as it starts.
//
//   auto init = std::make_unique<InitManager>(loop, logger, "listener 'web'");
//   ... compile with it as config::InitTargets ...
//   init->start([...] { take over });
//
// Whoever is told by start() may destroy it then. Its owner declares it behind whatever may hold targets, so that it
// goes first and nothing takes over that is being destroyed. Thread: main.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "source/config/init.h"
#include "source/event/loop.h"
#include "source/observability/log.h"

namespace sluice::server {

class InitManager : public config::InitTargets {
 public:
  // `owner` as the log says it. `patient_until`: so long it waits for what is told to be absent, because something
  // serves meanwhile (InitTarget::absent()).
  InitManager(event::Loop& loop, observability::Logger& logger, std::string owner, bool replaces = false,
              event::TimePoint patient_until = {});
  ~InitManager() override;

  // A target that comes when nothing is waited for any more is none.
  config::InitTarget add(std::string name, std::chrono::milliseconds deadline = {}) override;
  bool replaces() const override { return replaces_; }
  // The same without a deadline, with a name that is asked for each time it is shown, while the target lives.
  config::InitTarget add(std::function<std::string()> name);

  // Calls `done`, once: when nothing is waited for any more, which may be now.
  void start(std::function<void()> done);
  bool done() const { return done_; }
  // How much longer it waits for what is absent; 0: no longer.
  std::chrono::milliseconds patience() const;
  // Of what is waited for, in the order in which it was added: "routes 'web', secret 'cert'", and how many more there
  // are than kShown; empty: nothing.
  static constexpr size_t kShown = 10;
  std::string waits() const;

 private:
  class Wait;
  void ended(const Wait& wait);
  void late(const Wait& wait);

  event::Loop& loop_;
  observability::Logger& logger_;
  const std::string owner_;
  const bool replaces_;
  const event::TimePoint patient_until_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::map<uint64_t, std::shared_ptr<Wait>> waits_;  // by Wait::id()
  uint64_t next_id_ = 0;
  std::function<void()> on_done_;  // empty: not started, or told already
  bool done_ = false;
};

// 0: it is over.
std::chrono::milliseconds timeUntil(const event::Loop& loop, event::TimePoint end);

// "cluster 'web' (endpoints 'web')": what has no generation that serves yet, and what the one that is to come waits for
// (null: there is none).
std::string withWaits(const std::string& what, const InitManager* init);

}  // namespace sluice::server
