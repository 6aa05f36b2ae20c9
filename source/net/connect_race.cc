#include "source/net/connect_race.h"

#include <algorithm>
#include <utility>

namespace sluice::net {

class ConnectRace::Attempt final : private event::FdHandler {
 public:
  Attempt(ConnectRace& race, Fd fd) : race_(race), fd_(std::move(fd)) {
    watch_ = race.loop_.watch(fd_.get(), event::kWritable | event::kPeerClosed, event::Trigger::kEdge, *this);
  }
  // Nothing is told any more.
  Fd takeSocket() {
    watch_.reset();
    return std::move(fd_);
  }

 private:
  void onFdEvents(uint32_t) override { race_.over(*this, pendingError(fd_.get()) == 0); }

  ConnectRace& race_;
  Fd fd_;
  std::unique_ptr<event::FdWatch> watch_;
};

ConnectRace::ConnectRace(event::Loop& loop, Descriptors& descriptors, std::span<const Address> others,
                         const ConnectOptions& options, OnWon on_won)
    : loop_(loop),
      descriptors_(descriptors),
      options_(options),
      on_won_(std::move(on_won)),
      left_(others.rbegin(), others.rend()),
      next_(loop.timers(), [this] { beginNext(); }) {
  if (!left_.empty()) next_.arm(kDelay);
}

ConnectRace::~ConnectRace() = default;

Fd ConnectRace::replace() {
  beginNext();
  return attempts_.empty() ? Fd() : take(*attempts_.front())->takeSocket();
}

// At the next address where an attempt can begin at all. Without a descriptor for it there is none for others either.
void ConnectRace::beginNext() {
  next_.cancel();
  while (!left_.empty()) {
    absl::StatusOr<Fd> fd = startConnect(left_.back(), options_);
    left_.pop_back();
    if (absl::IsResourceExhausted(fd.status())) descriptors_.refused();
    if (absl::IsResourceExhausted(fd.status()) || (fd.ok() && !descriptors_.admit(*fd))) return left_.clear();
    if (!fd.ok()) continue;
    attempts_.push_back(std::make_unique<Attempt>(*this, *std::move(fd)));
    break;
  }
  if (!left_.empty()) next_.arm(kDelay);
}

void ConnectRace::over(Attempt& attempt, bool connected) {
  const std::unique_ptr<Attempt> ended = take(attempt);  // this is its call
  Fd fd = ended->takeSocket();
  if (!connected) return beginNext();
  const OnWon on_won = std::move(on_won_);  // the race may end in it
  on_won(std::move(fd));
}

std::unique_ptr<ConnectRace::Attempt> ConnectRace::take(const Attempt& attempt) {
  const auto at =
      std::find_if(attempts_.begin(), attempts_.end(), [&attempt](const auto& each) { return each.get() == &attempt; });
  std::unique_ptr<Attempt> taken = std::move(*at);
  attempts_.erase(at);
  return taken;
}

}  // namespace sluice::net
