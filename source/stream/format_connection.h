// Command operators that read DownstreamFacts. Used by format_operators.cc only.
#pragma once

#include "source/stream/format_operators.h"

namespace sluice::stream {

FormatValue readDirectLocal(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readHandshake(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readRoundTrip(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readJa3(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readJa4(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readCloseType(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readUpstreamCloseType(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);
FormatValue readUpstreamLocalCloseReason(const FormatOperator& op, const FormatContext& context,
                                         FormatScratch& scratch);
FormatValue readLocalCloseReason(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch);

// Empty: it is not known.
inline std::string_view directLocalOf(const FormatContext& context) {
  const DownstreamFacts* const facts = context.info.downstream;
  return facts == nullptr ? std::string_view() : facts->direct_local_address;
}

}  // namespace sluice::stream
