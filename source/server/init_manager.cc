#include "source/server/init_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::server {

class InitManager::Wait : public config::InitWait {
 public:
  Wait(InitManager& owner, uint64_t id, std::function<std::string()> name)
      : owner_(&owner),
        loop_(owner.loop_),
        thread_(owner.thread_),
        id_(id),
        since_(owner.loop_.now()),
        name_(std::move(name)) {}

  void end(std::shared_ptr<config::InitWait> self) override {
    if (std::this_thread::get_id() != thread_) {
      loop_.post([self = std::move(self)] { self->end(self); });
    } else if (InitManager* owner = letGo()) {
      owner->ended(*this);
    }
  }
  bool pending() const override { return owner_ != nullptr; }
  void absent(std::shared_ptr<config::InitWait> self, std::chrono::milliseconds grace) override {
    if (owner_ == nullptr) return;
    const auto left = std::min(grace, owner_->patience());
    left.count() > 0 ? limit(left) : end(std::move(self));
  }

  // From now on; what is over sooner stays so.
  void limit(std::chrono::milliseconds left) {
    const event::TimePoint until = loop_.now() + left;
    if (timer_ && timer_->deadline() <= until) return;
    deadline_ = std::chrono::ceil<std::chrono::milliseconds>(until - since_);
    timer_ = std::make_unique<event::Timer>(loop_.timers(), [this] { owner_->late(*this); });
    timer_->arm(left);
  }
  // Whose it was; null: nobody's any more.
  InitManager* letGo() {
    timer_.reset();
    return std::exchange(owner_, nullptr);
  }
  uint64_t id() const { return id_; }
  std::string name() const { return name_(); }
  std::chrono::milliseconds deadline() const { return deadline_; }

 private:
  InitManager* owner_;
  event::Loop& loop_;
  const std::thread::id thread_;
  const uint64_t id_;
  const event::TimePoint since_;
  const std::function<std::string()> name_;
  std::chrono::milliseconds deadline_{0};  // since then
  std::unique_ptr<event::Timer> timer_;
};

InitManager::InitManager(event::Loop& loop, observability::Logger& logger, std::string owner, bool replaces,
                         event::TimePoint patient_until)
    : loop_(loop), logger_(logger), owner_(std::move(owner)), replaces_(replaces), patient_until_(patient_until) {}

InitManager::~InitManager() {
  for (const auto& [id, wait] : waits_) wait->letGo();
}

config::InitTarget InitManager::add(std::string name, std::chrono::milliseconds deadline) {
  config::InitTarget target = add([name = std::move(name)] { return name; });
  if (target.pending() && deadline.count() > 0) waits_.rbegin()->second->limit(deadline);
  return target;
}

config::InitTarget InitManager::add(std::function<std::string()> name) {
  if (done_) return {};
  const uint64_t id = next_id_++;
  const auto wait = std::make_shared<Wait>(*this, id, std::move(name));
  waits_.emplace(id, wait);
  return config::InitTarget(wait);
}

void InitManager::start(std::function<void()> done) {
  if (waits_.empty()) {
    done_ = true;
    return done();
  }
  on_done_ = std::move(done);
}

// Whoever is told may destroy this.
void InitManager::ended(const Wait& wait) {
  waits_.erase(wait.id());
  if (!waits_.empty() || !on_done_) return;
  done_ = true;
  const std::function<void()> done = std::exchange(on_done_, nullptr);
  done();
}

void InitManager::late(const Wait& wait) {
  logger_.warning("init", owner_, " waits no longer for ", wait.name(), ", which did not come within ",
                  wait.deadline().count(), " ms");
  const std::shared_ptr<Wait> self = waits_.at(wait.id());
  self->end(self);
}

std::chrono::milliseconds InitManager::patience() const {
  return timeUntil(loop_, patient_until_);
}

std::string InitManager::waits() const {
  std::string text;
  size_t shown = 0;
  for (const auto& [id, wait] : waits_) {
    if (shown++ == kShown) return absl::StrCat(text, " and ", waits_.size() - kShown, " more");
    absl::StrAppend(&text, text.empty() ? "" : ", ", wait->name());
  }
  return text;
}

std::chrono::milliseconds timeUntil(const event::Loop& loop, event::TimePoint end) {
  const event::TimePoint now = loop.now();
  return end > now ? std::chrono::ceil<std::chrono::milliseconds>(end - now) : std::chrono::milliseconds(0);
}

std::string withWaits(const std::string& what, const InitManager* init) {
  const std::string waits = init == nullptr ? std::string() : init->waits();
  return waits.empty() ? what : absl::StrCat(what, " (", waits, ")");
}

}  // namespace sluice::server
