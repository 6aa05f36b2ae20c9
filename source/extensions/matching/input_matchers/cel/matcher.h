// An expression over all that there is of a request. (proto: xds.type.matcher.v3.CelMatcher)
#pragma once

#include <utility>

#include "source/match/cel/program.h"
#include "source/match/input.h"
#include "source/stream/attributes.h"

namespace sluice::extensions::matching::input_matchers::cel {

class CelMatcher : public match::ValueMatcher {
 public:
  explicit CelMatcher(match::cel::Program::Ptr program) : program_(std::move(program)) {}

  bool matches(const match::Value& value) const override {
    const match::Data* const data = value.everything;
    if (data == nullptr || data->info == nullptr) return false;
    const stream::FormatContext context{data->request, data->response, data->response_trailers, *data->info};
    return program_->holds(stream::Attributes(context));
  }
  bool wantsEverything() const override { return true; }

 private:
  const match::cel::Program::Ptr program_;
};

}  // namespace sluice::extensions::matching::input_matchers::cel
