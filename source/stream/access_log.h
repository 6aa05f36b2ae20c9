// One configured access log: is told of streams and connections as they begin, while they last, and when they are over,
// and writes, batches or sends what it was made for.
//
// Immutable and shared by all workers; made by an extension's factory. What it keeps for a worker (a batch, a gRPC
// stream) belongs into a worker::WorkerLocal; the worker's call-outs are in its services. log() is called on the way of
// each request: no lock, no waiting, and no allocation where it can be helped. Listeners' filters and connection
// managers all call it the same way.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/observability/log_file.h"
#include "source/stream/format_context.h"
#include "source/stream/formatter.h"
#include "source/worker/services.h"

namespace sluice::stream {

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  // `context` says why (type), and is borrowed.
  virtual void log(const FormatContext& context, worker::WorkerServices& worker) const = 0;
};

using AccessLogs = std::vector<std::shared_ptr<const AccessLog>>;

// Formatted lines in a file.
class LineAccessLog : public AccessLog {
 public:
  LineAccessLog(std::shared_ptr<const Formatter> formatter, std::shared_ptr<const observability::LogFile> file)
      : formatter_(std::move(formatter)), file_(std::move(file)) {}

  void log(const FormatContext& context, worker::WorkerServices& worker) const override {
    observability::LogSink& sink = worker.log_sink;
    std::string& line = sink.scratch();
    formatter_->format(context, line);
    if (!line.empty()) sink.append(*file_, line);
  }

 private:
  const std::shared_ptr<const Formatter> formatter_;
  const std::shared_ptr<const observability::LogFile> file_;
};

// Which entries a log gets. Immutable, shared by all workers. (proto: config.accesslog.v3.AccessLogFilter)
class AccessLogFilter {
 public:
  virtual ~AccessLogFilter() = default;
  virtual bool admits(const FormatContext& context) const = 0;
};

// A log with a filter in front; one without pays nothing for it.
class FilteredAccessLog : public AccessLog {
 public:
  FilteredAccessLog(std::shared_ptr<const AccessLogFilter> filter, std::shared_ptr<const AccessLog> log)
      : filter_(std::move(filter)), log_(std::move(log)) {}

  void log(const FormatContext& context, worker::WorkerServices& worker) const override {
    if (filter_->admits(context)) log_->log(context, worker);
  }

 private:
  const std::shared_ptr<const AccessLogFilter> filter_;
  const std::shared_ptr<const AccessLog> log_;
};

}  // namespace sluice::stream
