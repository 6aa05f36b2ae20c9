// What access logs are told of a stream: its end, and what a connection manager wants told before. (proto:
// HttpConnectionManager.access_log_options)
#include <memory>
#include <utility>

#include "source/session/connection.h"
#include "source/session/stream.h"
#include "source/stream/format_context.h"

namespace sluice::session {

using stream::AccessLogType;

stream::FormatContext Stream::facts(AccessLogType type, bool answered) {
  return {.request = runner_ ? &request() : nullptr,
          .response = answered ? &response() : nullptr,
          .trailers = &responseTrailers(),
          .info = info_,
          .type = type};
}

void Stream::logEnd(bool answered) {
  if (info_.response_end == stream::StreamInfo::kNotYet) info_.response_end = info_.since(worker_.loop.now());
  const HttpSettings& settings = connection_->settings();
  if (settings.access_logs.empty() && !info_.span) return;
  const stream::FormatContext context = facts(AccessLogType::kDownstreamEnd, answered);
  for (const auto& log : settings.access_logs) log->log(context, worker_.services);
  if (info_.span) std::exchange(info_.span, nullptr)->end(context);
}

// The duration is that so far.
void Stream::logMeanwhile(AccessLogType type) {
  const auto end = std::exchange(info_.response_end, info_.since(worker_.loop.now()));
  const stream::FormatContext context = facts(type, response_started_);
  for (const auto& log : connection_->settings().access_logs) log->log(context, worker_.services);
  info_.response_end = end;
}

void Stream::beginLog() {
  const AccessLogTimes& times = *connection_->settings().log_times;
  if (times.on_request) logMeanwhile(AccessLogType::kDownstreamStart);
  if (times.interval.count() == 0) return;
  if (!log_timer_) {
    log_timer_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] {
      log_timer_->arm(connection_->settings().log_times->interval);
      logMeanwhile(AccessLogType::kDownstreamPeriodic);
    });
  }
  log_timer_->arm(times.interval);
}

}  // namespace sluice::session
