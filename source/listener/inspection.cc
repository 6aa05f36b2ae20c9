#include "source/listener/inspection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "source/listener/listener.h"

namespace sluice::listener {

bool FilterPredicate::holds(const filter::Accepted& accepted) const {
  auto childHolds = [&accepted](const FilterPredicate& child) { return child.holds(accepted); };
  switch (rule) {
    case Rule::kAny:
      return true;
    case Rule::kAnd:
      return std::all_of(children.begin(), children.end(), childHolds);
    case Rule::kOr:
      return std::any_of(children.begin(), children.end(), childHolds);
    case Rule::kNot:
      return !children.front().holds(accepted);
    case Rule::kDestinationPort:
      return accepted.local.port() >= first_port && accepted.local.port() < end_port;
  }
  return false;
}

bool FilterProgress::begin(const InstalledFilters& filters, worker::WorkerServices& worker) {
  const auto isDiscovered = [](const InstalledFilter& installed) { return installed.discovered != nullptr; };
  if (std::none_of(filters.begin(), filters.end(), isDiscovered)) return true;
  auto own = std::make_shared<InstalledFilters>(filters);
  for (InstalledFilter& installed : *own) {
    if (installed.discovered) installed.filter = installed.discovered->get(worker);
    if (!installed.filter) return false;
  }
  own_ = std::move(own);
  return true;
}

FilterProgress::State FilterProgress::run(const InstalledFilters& of_listener, filter::Accepted& accepted,
                                          char* scratch, observability::StatsCells& cells, bool ended) {
  using Verdict = filter::ListenerFilter::Verdict;
  const InstalledFilters& filters = chosen(of_listener);
  for (; next_ < filters.size(); ++next_, seen_ = 0) {
    const InstalledFilter& installed = filters[next_];
    if (installed.disabled && installed.disabled->holds(accepted)) continue;
    if (seen_ == 0 && installed.filter->skips(accepted, cells)) continue;
    const size_t window = std::min(installed.filter->window(), kScratch);
    ssize_t size = 0;
    if (window > 0) {
      do {
        size = recv(accepted.fd.get(), scratch, window, MSG_PEEK | MSG_DONTWAIT);
      } while (size < 0 && errno == EINTR);
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return State::kWaiting;
      if (size <= 0) return State::kPeerEnded;
      if (static_cast<size_t>(size) == seen_) return ended ? State::kPeerEnded : State::kWaiting;
    }
    const auto result = installed.filter->inspect({scratch, static_cast<size_t>(size)}, accepted, cells);
    if (result.verdict == Verdict::kClose) return State::kClosed;
    if (result.verdict == Verdict::kMore) {
      seen_ = size;
      if (seen_ >= window) return State::kClosed;  // the filter broke its word
      return ended ? State::kPeerEnded : State::kWaiting;
    }
    // These bytes were in the socket a moment ago, so they come in one go.
    if (result.consumed > 0 &&
        recv(accepted.fd.get(), scratch, result.consumed, MSG_DONTWAIT) != static_cast<ssize_t>(result.consumed)) {
      return State::kClosed;
    }
  }
  return State::kDone;
}

bool FilterProgress::goOnWithoutBytes(const InstalledFilters& of_listener, filter::Accepted& accepted,
                                      observability::StatsCells& cells) {
  const InstalledFilters& filters = chosen(of_listener);
  for (size_t i = next_ + 1; i < filters.size(); ++i) {
    const InstalledFilter& installed = filters[i];
    if (installed.filter->window() > 0 || (installed.disabled && installed.disabled->holds(accepted))) continue;
    if (installed.filter->skips(accepted, cells)) continue;
    if (installed.filter->inspect({}, accepted, cells).verdict == filter::ListenerFilter::Verdict::kClose) return false;
  }
  return true;
}

Inspection& Inspection::start(event::Loop& loop, Owner& owner, std::shared_ptr<const ListenerConfig> config,
                              filter::Accepted accepted, FilterProgress progress) {
  return *new Inspection(loop, owner, std::move(config), std::move(accepted), progress);
}

// Edges: what was peeked at stays readable, and only new bytes are news. The first edge comes for what is there
// already.
Inspection::Inspection(event::Loop& loop, Owner& owner, std::shared_ptr<const ListenerConfig> config,
                       filter::Accepted accepted, FilterProgress progress)
    : loop_(loop),
      owner_(owner),
      config_(std::move(config)),
      accepted_(std::move(accepted)),
      progress_(progress),
      watch_(loop.watch(accepted_.fd.get(), event::kReadable | event::kPeerClosed, event::Trigger::kEdge, *this)),
      timeout_(loop.timers(), [this] {
        const auto config = config_;
        owner_.inspectionTimedOut(config, leave(), progress_);
      }) {
  owner_.cells().add(config_->stats.pre_cx_active);
  if (config_->filters_timeout.count() > 0) timeout_.arm(config_->filters_timeout);
}

// Ends the wait and gives the connection away.
filter::Accepted Inspection::leave() {
  over_ = true;
  owner_.cells().sub(config_->stats.pre_cx_active);
  watch_.reset();
  timeout_.cancel();
  unlink();
  loop_.deleteLater(std::unique_ptr<event::Deferred>(this));
  return std::move(accepted_);
}

void Inspection::onFdEvents(uint32_t events) {
  if (over_) return;
  const auto state =
      progress_.run(config_->filters, accepted_, owner_.scratch(), owner_.cells(), (events & event::kPeerClosed) != 0);
  if (state == FilterProgress::State::kWaiting) return;
  const auto config = config_;
  owner_.inspected(config, leave(), state, progress_.handed_over);
}

bool Inspection::closeNow(std::string_view) {
  if (!over_) leave();  // what it gives is destroyed: closed
  return false;
}

}  // namespace sluice::listener
