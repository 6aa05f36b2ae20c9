#include "source/worker/local.h"

#include <algorithm>

namespace sluice::worker {

struct LocalState {
  uint32_t take() {
    const std::lock_guard lock(mutex);
    if (free.empty()) return next++;
    const uint32_t index = free.back();
    free.pop_back();
    return index;
  }
  void giveBack(uint32_t index) {
    const std::lock_guard lock(mutex);
    free.push_back(index);
  }

  std::mutex mutex;
  std::vector<const LocalSlots::Member*> members;
  std::vector<uint32_t> free;
  uint32_t next = 0;
};

LocalSlots::LocalSlots() : state_(std::make_shared<LocalState>()) {}

uint32_t LocalSlots::take() const {
  return state_->take();
}

void LocalSlots::release(uint32_t index) const {
  // Free once the last copy is gone: all workers have dropped theirs, or ended.
  const std::shared_ptr<void> dropped(nullptr, [state = state_, index](void*) { state->giveBack(index); });
  // The lock keeps members, and so their loops, from going meanwhile.
  const std::lock_guard lock(state_->mutex);
  for (const Member* member : state_->members) {
    member->post_([&locals = member->locals_, index, dropped] { locals.drop(index); });
  }
}

LocalSlots::Member::Member(const LocalSlots& slots, Locals& locals, Post post)
    : state_(slots.state_), locals_(locals), post_(std::move(post)) {
  const std::lock_guard lock(state_->mutex);
  state_->members.push_back(this);
}

LocalSlots::Member::~Member() {
  const std::lock_guard lock(state_->mutex);
  state_->members.erase(std::find(state_->members.begin(), state_->members.end(), this));
}

}  // namespace sluice::worker
