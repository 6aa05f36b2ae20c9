// Begins the spans of streams. Immutable and shared by all workers; what it keeps for each of them (a batch, a
// connection to a collector) belongs into a worker::WorkerLocal. A connection manager without a tracer pays one branch
// a stream.
#pragma once

#include <memory>

#include "source/stream/format_context.h"
#include "source/stream/span.h"
#include "source/worker/services.h"

namespace sluice::stream {

class Tracer {
 public:
  virtual ~Tracer() = default;
  // At the begin of a stream, with its head in canonical form and its route chosen. Null: this one is not traced.
  virtual std::unique_ptr<Span> begin(const FormatContext& context, worker::WorkerServices& worker) const = 0;
};

}  // namespace sluice::stream
