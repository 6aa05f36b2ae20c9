// Entries for which an expression is true. (proto: envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter)
#pragma once

#include <utility>

#include "source/match/cel/program.h"
#include "source/stream/access_log.h"
#include "source/stream/attributes.h"

namespace sluice::extensions::access_log_filters::cel {

class ExpressionFilter : public stream::AccessLogFilter {
 public:
  explicit ExpressionFilter(match::cel::Program::Ptr program) : program_(std::move(program)) {}

  bool admits(const stream::FormatContext& context) const override {
    return program_->holds(stream::Attributes(context));
  }

 private:
  const match::cel::Program::Ptr program_;
};

}  // namespace sluice::extensions::access_log_filters::cel
