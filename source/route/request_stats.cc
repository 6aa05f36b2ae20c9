#include "source/route/request_stats.h"

#include <string>
#include <utility>

namespace sluice::route {

std::shared_ptr<RequestStats> RequestStats::make(observability::StatsRegistry& registry, std::string_view virtual_host,
                                                 std::string_view of, std::string_view name) {
  auto out = std::make_shared<RequestStats>(registry.scope("vhost", virtual_host).scope(of, name));
  registry.addLate(out);
  return out;
}

RequestStats::RequestStats(observability::Scope scope) : scope_(std::move(scope)) {
  total = scope_.counter("upstream_rq_total");
  completed = scope_.counter("upstream_rq_completed");
  timeout = scope_.counter("upstream_rq_timeout");
  retry = scope_.counter("upstream_rq_retry");
  retry_success = scope_.counter("upstream_rq_retry_success");
  retry_overflow = scope_.counter("upstream_rq_retry_overflow");
  retry_limit_exceeded = scope_.counter("upstream_rq_retry_limit_exceeded");
  time = scope_.histogram("upstream_rq_time");
  for (size_t i = 0; i < classes_.size(); ++i) {
    classes_[i] = scope_.counter("upstream_rq_" + std::to_string(i + 1) + "xx");
  }
}

RequestStats::~RequestStats() {
  for (const std::atomic<Statuses*>& each : statuses_) const std::unique_ptr<Statuses> gone(each.load());
}

RequestStats::Statuses& RequestStats::statusesOf(size_t of_class) const {
  Statuses* known = statuses_[of_class].load(std::memory_order_acquire);
  if (known != nullptr) return *known;
  auto made = std::make_unique<Statuses>();
  const bool first = statuses_[of_class].compare_exchange_strong(known, made.get(), std::memory_order_acq_rel);
  return first ? *made.release() : *known;
}

void RequestStats::countAnswer(uint16_t status, observability::StatsCells& cells, bool by_status) const {
  if (status < kFirst || status >= kEnd) return;
  cells.add(completed);
  if (!by_status) return;
  const size_t of_class = status / 100 - 1;
  cells.add(classes_[of_class]);
  statusesOf(of_class)[status % 100].fetch_add(1, std::memory_order_relaxed);
}

void RequestStats::show(observability::StatsCells& cells) {
  for (uint16_t status = kFirst; status < kEnd; ++status) {
    const Statuses* const statuses = statuses_[status / 100 - 1].load(std::memory_order_acquire);
    const uint64_t count = statuses == nullptr ? 0 : (*statuses)[status % 100].load(std::memory_order_relaxed);
    if (count == 0) continue;
    Shown& shown = shown_[status];
    if (shown.count == 0) shown.counter = scope_.counter("upstream_rq_" + std::to_string(status));
    cells.add(shown.counter, count - std::exchange(shown.count, count));
  }
}

}  // namespace sluice::route
