#include "source/event/loop.h"

namespace sluice::event {

void Loop::endTurn() {
  // Tasks that tasks schedule run in the same turn (a flush after a late write), but not for ever.
  for (int round = 0; round < 8 && !turn_tasks_.empty(); ++round) {
    base::List<TurnTask> batch;
    batch.takeAll(turn_tasks_);
    while (!batch.empty()) {
      TurnTask& task = batch.front();
      task.unlink();
      task.runAtTurnEnd();
    }
  }
  // Destructors may hand over further objects.
  while (!trash_.empty()) {
    std::vector<std::unique_ptr<Deferred>> batch;
    batch.swap(trash_);
  }
}

}  // namespace sluice::event
