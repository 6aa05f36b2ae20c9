// What a processor is told of the exchange beside its messages: values of expressions, each under its own text.
// (proto: request_attributes, response_attributes)
#pragma once

#include <string>
#include <vector>

#include "source/match/cel/program.h"
#include "source/stream/format_context.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::ext_proc {

struct NamedAttribute {
  std::string name;  // the expression: "request.path"
  match::cel::Program::Ptr program;
};

// Without those that have no value, or one that is neither a bool, a number nor a text.
stream::MetadataFields valuesOf(const std::vector<NamedAttribute>& attributes, const stream::FormatContext& context);

}  // namespace sluice::extensions::http_filters::ext_proc
