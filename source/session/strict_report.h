// Tells of requests that --report-only lets through: a counter for each rule (http.PREFIX.strict.RULE), and a line in
// the process's log that shows one of them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "source/http/headers.h"
#include "source/http/strictness.h"
#include "source/observability/stats.h"
#include "source/stream/stream_info.h"
#include "source/worker/services.h"

namespace sluice::session {

// Lines of the whole process: at most one a second for each rule. Any thread.
class StrictLog {
 public:
  // `write`: takes a line, on any thread.
  explicit StrictLog(std::function<void(const std::string& line)> write) : write_(std::move(write)) {}

  // Whether a line for this rule is due, which is then the caller's to write.
  bool due(http::StrictRule rule, std::chrono::steady_clock::time_point now);
  void write(const std::string& line) const { write_(line); }

 private:
  const std::function<void(const std::string&)> write_;
  std::array<std::atomic<int64_t>, http::kStrictRules> next_{};  // ms of the clock
};

// Of one connection manager; shared by the workers.
class StrictReport {
 public:
  // `owner`: what its stats begin with, "http.PREFIX.". Made on main; only rules of `rules` have a counter.
  StrictReport(observability::Scope& stats, std::string owner, http::StrictRules rules, std::shared_ptr<StrictLog> log);

  void tell(const http::RequestHeaders& request, const stream::StreamInfo& info, worker::WorkerServices& worker) const;

 private:
  const std::string owner_;
  std::array<observability::Counter, http::kStrictRules> counters_;
  const std::shared_ptr<StrictLog> log_;
};

}  // namespace sluice::session
