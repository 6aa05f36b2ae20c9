// A key set that is fetched by HTTP and kept fresh: one for the process, whoever verifies by it.
//
// Main fetches it at once, again before it is old, and after failures with growing delays; until another one has come
// the last good one serves, however old it is. A worker whose request needs a key that is not there asks for a fetch
// and waits: one is made in kWindow for all workers together, whatever clients send.
// Thread: made on main; keys() and wait() on workers; it may be destroyed on any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/jwt/key_set.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/worker/calls.h"
#include "source/worker/exchanged.h"
#include "source/worker/local.h"
#include "source/worker/main_services.h"
#include "source/worker/services.h"

namespace sluice::jwt {

// Who waits for the end of a fetch, however it ends. Destruction ends the wait.
class KeysWaiter : public base::ListNode {
 public:
  virtual ~KeysWaiter() = default;
  // Once, from the loop. May destroy this.
  virtual void onFetched() = 0;
};

class RemoteKeys {
 public:
  // From the start of a fetch until requests may cause another one.
  static constexpr std::chrono::seconds kWindow{10};

  struct Settings {
    std::string uri;                  // as the configuration says it
    worker::HttpCallRequest request;  // what it comes to
    std::chrono::milliseconds fresh_for{600'000};
    std::chrono::milliseconds refetch_delay{1'000};  // after a failure; it doubles with each, up to kWindow
    uint32_t retries = 0;                            // within one fetch
    std::chrono::milliseconds retry_base{1'000}, retry_most{10'000};
  };
  struct World {
    worker::MainServices& main;
    worker::LocalSlots slots;
    observability::StatsScope stats;
    std::string prefix;                       // of the stats
    observability::Logger* logger = nullptr;  // null: nobody is told
    uint64_t seed = 1;                        // of delays
  };

  RemoteKeys(Settings settings, World world);
  ~RemoteKeys();
  RemoteKeys(const RemoteKeys&) = delete;
  RemoteKeys& operator=(const RemoteKeys&) = delete;

  // Worker. Null: none have come. Stays valid until this worker asks again. The same object as long as the keys are.
  const std::shared_ptr<const KeySet>& keys(worker::WorkerServices& worker) const { return keys_->get(worker); }
  // Worker. False: there is nothing to wait for now, what is known holds. `waiter` waits for nothing else.
  bool wait(worker::WorkerServices& worker, KeysWaiter& waiter) const;

  // Main. `what` is let go when the first keys have come; at once if they have.
  void holdUntilKeys(std::shared_ptr<void> what);

  // For people. Nothing of a key but its name.
  struct Health {
    struct Key {
      std::string kid, algorithms;
    };
    std::string uri, cluster;
    std::vector<Key> keys;
    std::optional<std::chrono::seconds> age;  // of what was fetched last; nullopt: nothing was
    std::string last_error;                   // of the last fetch; empty: it was good
    uint32_t failures = 0;                    // in a row
    std::chrono::milliseconds next_fetch{0};  // from now; 0: one is under way
  };
  // Main.
  Health health() const;

 private:
  class OnMain;
  class View;
  struct Gate;
  using Keys = worker::Exchanged<KeySet>;

  event::Loop& main_;  // workers, who may be the last to let go of this, outlive main's services
  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<Keys> keys_;
  std::shared_ptr<OnMain> on_main_;  // goes there
  const worker::WorkerLocal<View> views_;
};

}  // namespace sluice::jwt
