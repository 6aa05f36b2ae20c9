// What has to come before a configuration serves.
//
// While a listener or a cluster is compiled, anything that needs something from elsewhere first (a table by RDS, a
// secret, a key from a service) adds a target; what was compiled takes over once all of them are ready:
//
//   settings->keys_wait = context.waitFor("keys of issuer 'x'", std::chrono::seconds(5));
//   ... later, on main: settings->keys_wait.ready();
//
// Thread: main; a target may be destroyed on any.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace sluice::config {

// The other side of a target. Main.
class InitWait {
 public:
  virtual ~InitWait() = default;
  // Any thread; later, on main, if it is not called there.
  virtual void end(std::shared_ptr<InitWait> self) = 0;
  virtual bool pending() const = 0;
  // Main.
  virtual void absent(std::shared_ptr<InitWait> self, std::chrono::milliseconds) { end(std::move(self)); }
};

// That something is waited for: until ready(), or until it is destroyed.
class InitTarget {
 public:
  InitTarget() = default;  // nothing is waited for
  explicit InitTarget(std::shared_ptr<InitWait> wait) : wait_(std::move(wait)) {}
  InitTarget(InitTarget&&) = default;
  InitTarget& operator=(InitTarget&& other) noexcept {
    InitTarget before(std::exchange(wait_, std::exchange(other.wait_, nullptr)));
    return *this;
  }
  ~InitTarget() { ready(); }

  // It is there, or will not be for now. What waited for it may take over before this returns. Repeats are harmless.
  void ready() {
    if (std::shared_ptr<InitWait> wait = std::exchange(wait_, nullptr)) {
      InitWait& other = *wait;
      other.end(std::move(wait));
    }
  }
  // There is none for now, but one may come within `grace`: that is waited for where something serves meanwhile, and
  // otherwise the wait is over. Main.
  void absent(std::chrono::milliseconds grace) {
    if (const std::shared_ptr<InitWait> wait = wait_) wait->absent(wait, grace);
  }
  // False, too, once its deadline is over or nobody is left to wait for it.
  bool pending() const { return wait_ != nullptr && wait_->pending(); }

 private:
  std::shared_ptr<InitWait> wait_;
};

// The targets of what is being compiled. To be used while that goes on, and not kept.
class InitTargets {
 public:
  virtual ~InitTargets() = default;
  // `name` as the log and the admin pages say it: "routes 'web'". `deadline` from now on: after it the wait ends by
  // itself, and the log tells; 0: whoever adds it sees to it that it ends.
  virtual InitTarget add(std::string name, std::chrono::milliseconds deadline = {}) = 0;
  // Whether something serves in its place while it waits.
  virtual bool replaces() const { return false; }
};

}  // namespace sluice::config
