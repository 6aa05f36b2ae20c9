#include "source/stream/format_connection.h"

#include <chrono>
#include <cstdint>
#include <optional>

#include "source/net/connection.h"

namespace sluice::stream {
namespace {

using Value = FormatValue;

Value text(std::string_view text) {
  return text.empty() ? Value{} : Value{Value::Kind::kText, text, 0, nullptr};
}

Value milliseconds(std::chrono::nanoseconds time) {
  if (time.count() < 0) return {};
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(time);
  return {Value::Kind::kNumber, {}, static_cast<uint64_t>(whole.count()), nullptr};
}

const TlsFingerprints* fingerprintsOf(const FormatContext& context) {
  return context.info.downstream == nullptr ? nullptr : context.info.downstream->fingerprints.get();
}

Value closeType(DownstreamFacts::Close close) {
  using Close = DownstreamFacts::Close;
  switch (close) {
    case Close::kNone:
      return {};
    case Close::kNormal:
      return text("Normal");
    case Close::kLocalReset:
      return text("LocalReset");
    case Close::kRemoteReset:
      return text("RemoteReset");
  }
  return {};
}

}  // namespace

FormatValue readDirectLocal(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return text(directLocalOf(context));
}

FormatValue readHandshake(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return context.info.downstream == nullptr ? Value{} : milliseconds(context.info.downstream->handshake);
}

FormatValue readRoundTrip(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  const DownstreamFacts* const facts = context.info.downstream;
  if (facts == nullptr || facts->connection == nullptr) return {};
  const std::optional<std::chrono::microseconds> time = facts->connection->roundTrip();
  return time ? milliseconds(*time) : Value{};
}

FormatValue readJa3(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  const TlsFingerprints* const found = fingerprintsOf(context);
  return found == nullptr ? Value{} : text(found->ja3);
}

FormatValue readJa4(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  const TlsFingerprints* const found = fingerprintsOf(context);
  return found == nullptr ? Value{} : text(found->ja4);
}

FormatValue readCloseType(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return context.info.downstream == nullptr ? Value{} : closeType(context.info.downstream->close);
}

FormatValue readUpstreamCloseType(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return context.info.downstream == nullptr ? Value{} : closeType(context.info.downstream->upstream_close);
}

FormatValue readLocalCloseReason(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return context.info.downstream == nullptr ? Value{} : text(context.info.downstream->local_close_reason);
}

FormatValue readUpstreamLocalCloseReason(const FormatOperator&, const FormatContext& context, FormatScratch&) {
  return context.info.downstream == nullptr ? Value{} : text(context.info.downstream->upstream_local_close_reason);
}

}  // namespace sluice::stream
