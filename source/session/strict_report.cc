#include "source/session/strict_report.h"

#include <string_view>
#include <utility>

#include "source/base/text.h"

namespace sluice::session {
namespace {

// So much of a text that a client chose is shown.
std::string_view shown(std::string_view text) {
  return text.substr(0, 128);
}

}  // namespace

bool StrictLog::due(http::StrictRule rule, std::chrono::steady_clock::time_point now) {
  const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::atomic<int64_t>& next = next_[static_cast<size_t>(rule)];
  int64_t before = next.load(std::memory_order_relaxed);
  return ms >= before && next.compare_exchange_strong(before, ms + 1000, std::memory_order_relaxed);
}

StrictReport::StrictReport(observability::Scope& stats, std::string owner, http::StrictRules rules,
                           std::shared_ptr<StrictLog> log)
    : owner_(std::move(owner)), log_(std::move(log)) {
  for (size_t i = 0; i < http::kStrictRules; ++i) {
    const auto rule = static_cast<http::StrictRule>(i);
    if (rules.has(rule)) counters_[i] = stats.counter(base::strCat(owner_, "strict.", http::textOf(rule)));
  }
}

void StrictReport::tell(const http::RequestHeaders& request, const stream::StreamInfo& info,
                        worker::WorkerServices& worker) const {
  for (size_t i = 0; i < http::kStrictRules; ++i) {
    const std::string_view example = request.let_through->examples[i];
    if (example.data() == nullptr) continue;
    worker.cells.add(counters_[i]);
    const auto rule = static_cast<http::StrictRule>(i);
    if (!log_->due(rule, worker.loop.now())) continue;
    log_->write(base::strCat(owner_, "strict.", http::textOf(rule), ": let through: '", shown(example), "' in ",
                             request.method, " ", shown(request.pathOnly()), " for ", shown(request.authority),
                             ", from ", info.downstream_remote_address));
  }
}

}  // namespace sluice::session
