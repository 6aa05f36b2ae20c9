#include "source/extensions/filters/http/rate_limit_quota/quota_stream.h"

#include <algorithm>
#include <utility>

#include "source/base/failure_delay.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

QuotaStream::QuotaStream(World& world, std::string domain)
    : world_(world), domain_(std::move(domain)), reopen_(world.main.loop.timers(), [this] { open(); }) {}

void QuotaStream::add(BucketPtr bucket) {
  const TimePoint now = world_.main.loop.now();
  const milliseconds interval = bucket->settings->reporting_interval;
  std::unique_ptr<Entry>& entry = entries_[bucket->key];
  entry = std::make_unique<Entry>(Entry{std::move(bucket), now, now});
  world_.main.cells.add(world_.stats.buckets);
  std::unique_ptr<event::Timer>& timer = reports_[interval];
  if (!timer) {
    timer = std::make_unique<event::Timer>(world_.main.loop.timers(), [this, interval] { onDue(interval); });
  }
  if (!timer->armed()) timer->arm(interval);
  if (call_) {
    report({entry.get()});
  } else if (!reopen_.armed()) {
    open();
  }
}

void QuotaStream::open() {
  call_ = world_.main.calls().openGrpc(world_.target.request(kMethodPath), *this);
  std::vector<Entry*> all;
  for (const auto& [key, entry] : entries_) all.push_back(entry.get());
  report(all);
}

void QuotaStream::onDue(milliseconds interval) {
  const TimePoint now = world_.main.loop.now();
  const bool crowded = world_.table.isFull();
  std::vector<Entry*> due;
  absl::erase_if(entries_, [&](const auto& item) {
    Entry& entry = *item.second;
    Bucket& bucket = *entry.bucket;
    if (bucket.settings->reporting_interval != interval) return false;
    const uint64_t asked = bucket.allowed + bucket.denied;
    if (std::exchange(entry.seen, asked) != asked) entry.asked_at = now;
    if (mayGo(entry, crowded, now)) {
      world_.table.remove(bucket);
      return true;
    }
    due.push_back(&entry);
    return false;
  });
  report(due);
  if (!due.empty()) reports_[interval]->arm(interval);
}

bool QuotaStream::mayGo(const Entry& entry, bool crowded, TimePoint now) const {
  const TermsPtr terms = entry.bucket->terms();
  const nanoseconds silent = now - entry.asked_at;
  return terms->isOver(now) || (crowded && silent >= kSilence) || (!terms->assigned && silent >= kUnassignedLife);
}

void QuotaStream::report(const std::vector<Entry*>& entries) {
  if (!call_ || call_->unsentBytes() > kMostUnsent) return;
  const TimePoint now = world_.main.loop.now();
  for (size_t begin = 0; begin < entries.size(); begin += kMostInReport) {
    std::vector<Usage> usages;
    for (size_t i = begin; i < std::min(begin + kMostInReport, entries.size()); ++i) {
      Entry& entry = *entries[i];
      const uint64_t allowed = entry.bucket->allowed, denied = entry.bucket->denied;
      const nanoseconds elapsed = std::max<nanoseconds>(now - entry.reported_at, nanoseconds(1));
      usages.push_back({entry.bucket->id, elapsed, allowed - entry.allowed, denied - entry.denied});
      entry.allowed = allowed;
      entry.denied = denied;
      entry.reported_at = now;
    }
    call_->sendMessage(encodeReports(domain_, usages), false);
  }
}

void QuotaStream::take(const BucketAction& action) {
  const auto found = entries_.find(keyOf(domain_, action.id));
  if (found == entries_.end()) return;  // it has gone meanwhile
  Entry& entry = *found->second;
  if (!action.assignment) {
    world_.table.remove(*entry.bucket);
    entries_.erase(found);
    return;
  }
  world_.main.cells.add(world_.stats.assignments);
  const TermsPtr before = entry.bucket->terms();
  const TermsPtr terms = before->assign(action.assignment->strategy, action.assignment->time_to_live,
                                        *entry.bucket->settings, world_.main.loop.now());
  entry.bucket->set(terms);
  if (terms->assigned != before->assigned) report({&entry});
}

void QuotaStream::onGrpcMessage(std::string_view message) {
  failures_ = 0;
  const Actions decoded = decodeActions(message);
  if (decoded.unreadable > 0) world_.main.cells.add(world_.stats.error, decoded.unreadable);
  for (const BucketAction& action : decoded.actions) take(action);
}

void QuotaStream::onGrpcEnd(int, std::string_view) {
  call_.reset();
  world_.main.cells.add(world_.stats.error);
  reopen_.arm(base::failureDelay(++failures_, kFirstWait, kLastWait, world_.random));
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
