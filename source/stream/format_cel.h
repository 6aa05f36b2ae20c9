// %CEL(EXPRESSION)% and %TYPED_CEL(EXPRESSION)%: an expression over the attributes of a stream. Used by
// format_operators.cc only. (proto: envoy.extensions.formatter.cel.v3.Cel)
#pragma once

#include "absl/status/status.h"
#include "source/stream/format_operators.h"

namespace sluice::stream {

absl::Status parseCel(const FormatOperator::Spelling& spelling, FormatOperator& op);

// As text, lists and maps as JSON. Missing: null, and what has no value.
FormatValue readCel(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
// As what it is: texts, and other values as JSON.
FormatValue readTypedCel(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);

}  // namespace sluice::stream
