#include "source/extensions/filters/http/lua/run.h"

namespace sluice::extensions::http_filters::lua {

Run::State Run::go() {
  wait = Wait::kNothing;
  if (thread_.state == nullptr && !machine_.makeThread(side, id, thread_, error)) {
    end();
    return State::kFailed;
  }
  switch (machine_.resume(*this, thread_, error)) {
    case Machine::Outcome::kWaits:
      if (wait != Wait::kNothing) return State::kWaits;
      error = "the script yields to nobody: coroutine.yield() has no meaning here";
      break;
    case Machine::Outcome::kDone:
      end();
      return State::kDone;
    case Machine::Outcome::kFailed:
      break;
  }
  end();
  return State::kFailed;
}

void Run::end() {
  over_ = true;
  machine_.releaseThread(thread_);
}

}  // namespace sluice::extensions::http_filters::lua
