// What stands in the parentheses of command operators: each function reads one kind of arguments into the operator.
// Used by format_operators.cc only. Errors name the operator and what it takes.
#pragma once

#include "absl/status/status.h"
#include "source/stream/format_operators.h"

namespace sluice::stream {

// FormatOperator::style
enum GrpcStyle : uint8_t { kCamel, kSnake, kNumber };
enum MetadataSource : uint8_t {
  kDynamic,
  kOfRoute,
  kOfVirtualHost,
  kOfCluster,
  kOfHost,
  kOfListener,
  kOfFilterChain,
};
enum ServerNameChoice : uint8_t { kSniOnly, kSniFirst, kHostFirst };
enum Whitespace : uint8_t { kUnderscores, kAsItIs };
enum QueryStyle : uint8_t { kOriginal, kDecoded };

absl::Status parseNothing(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseHeaders(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parsePath(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseTime(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseLocalTime(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseEnvironment(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseHostname(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseMetadata(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseFilterState(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parsePerRequestState(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseGrpcStatus(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parsePrefixLength(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseDetails(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseServerName(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseQueryParameter(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseQuery(const FormatOperator::Spelling& spelling, FormatOperator& op);
// format_body.cc, format_cel.cc, format_coalesce.cc, format_duration.cc
absl::Status parseRequestBody(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseResponseBody(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseCel(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseTypedCel(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseCoalesce(const FormatOperator::Spelling& spelling, FormatOperator& op);
absl::Status parseCommonDuration(const FormatOperator::Spelling& spelling, FormatOperator& op);

template <StreamInfo::Offset StreamInfo::*kFrom, StreamInfo::Offset StreamInfo::*kTo>
absl::Status parseDuration(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  op.from = kFrom;
  op.to = kTo;
  return parseNothing(spelling, op);
}

}  // namespace sluice::stream
