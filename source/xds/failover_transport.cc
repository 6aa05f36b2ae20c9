#include "source/xds/failover_transport.h"

#include <algorithm>
#include <utility>

namespace sluice::xds {

FailoverTransport::FailoverTransport(Make first, Make second, event::Loop& loop, std::function<uint64_t()> random)
    : servers_{std::move(first), std::move(second)},
      loop_(loop),
      random_(std::move(random)),
      probe_timer_(loop.timers(), [this] { startProbe(); }) {}

FailoverTransport::~FailoverTransport() = default;

void FailoverTransport::connect(std::string_view method, TransportEvents& events) {
  method_ = std::string(method);
  events_ = &events;
  answered_ = false;
  if (stream_ == nullptr || of_ != at_) {
    stream_ = servers_[at_]();
    of_ = at_;
  }
  stream_->connect(method_, *this);
}

void FailoverTransport::onMessage(std::string_view bytes) {
  if (!std::exchange(answered_, true)) {
    misses_ = 0;
    if (at_ == 0) {
      first_answered_ = true;
    } else {
      waitForProbe();
    }
  }
  events_->onMessage(bytes);
}

void FailoverTransport::onClosed(const absl::Status& status) {
  endProbe();
  if (at_ != 0 && answered_) {
    at_ = 0;
  } else if (!answered_ && !first_answered_ && ++misses_ == kMisses) {
    misses_ = 0;
    at_ = 1 - at_;
  }
  events_->onClosed(status);
}

// --- the first server, while the second serves

void FailoverTransport::waitForProbe() {
  const std::chrono::milliseconds half = probe_wait_ / 2;
  const auto more = static_cast<int64_t>(random_() % static_cast<uint64_t>(half.count()));
  probe_timer_.arm(half + std::chrono::milliseconds(more));
  probe_wait_ = std::min(probe_wait_ * 2, kLastProbe);
}

void FailoverTransport::startProbe() {
  ++probe_number_;
  probe_ = servers_[0]();
  probe_->connect(method_, probe_events_);
}

void FailoverTransport::endProbe() {
  ++probe_number_;
  probe_timer_.cancel();
  probe_.reset();
}

// Inside an event of the probe, which cannot be destroyed here.
void FailoverTransport::afterProbe(bool stands) {
  loop_.post([this, alive = std::weak_ptr<bool>(alive_), number = probe_number_, stands] {
    if (alive.expired() || number != probe_number_) return;
    endProbe();
    stands ? goBack() : waitForProbe();
  });
}

void FailoverTransport::goBack() {
  stream_.reset();
  at_ = 0;
  events_->onClosed(absl::UnavailableError("the first server can be reached again"));
}

}  // namespace sluice::xds
