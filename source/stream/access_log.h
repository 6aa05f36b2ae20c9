// One configured access log: turns a finished stream into a line in a sink.
//
// Immutable and shared by all workers; made by an extension's factory. The session calls log() once per stream, when it
// is complete, with the sink of its worker: no allocation once the sink is warm, no lock, no waiting.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/observability/log_file.h"
#include "source/stream/format_context.h"
#include "source/stream/formatter.h"

namespace sluice::stream {

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void log(const FormatContext& context, observability::LogSink& sink) const = 0;
};

// Formatted lines in a file.
class LineAccessLog : public AccessLog {
 public:
  LineAccessLog(std::shared_ptr<const Formatter> formatter, std::shared_ptr<const observability::LogFile> file)
      : formatter_(std::move(formatter)), file_(std::move(file)) {}

  void log(const FormatContext& context, observability::LogSink& sink) const override {
    std::string& line = sink.scratch();
    formatter_->format(context, line);
    if (!line.empty()) sink.append(*file_, line);
  }

 private:
  const std::shared_ptr<const Formatter> formatter_;
  const std::shared_ptr<const observability::LogFile> file_;
};

}  // namespace sluice::stream
