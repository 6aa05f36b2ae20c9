// One configured access log: turns a finished stream into a line in a sink.
//
// Immutable and shared by all workers; made by an extension's factory. The session calls log() once per stream, when it
// is complete, with the sink of its worker: no allocation once the sink is warm, no lock, no waiting.
#pragma once

#include "source/observability/log_file.h"
#include "source/stream/format_context.h"

namespace sluice::stream {

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void log(const FormatContext& context, observability::LogSink& sink) const = 0;
};

}  // namespace sluice::stream
