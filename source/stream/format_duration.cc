// %COMMON_DURATION(START:END:PRECISION)%
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>

#include "source/base/text.h"
#include "source/stream/format_arguments.h"

namespace sluice::stream {
namespace {

using Offset = StreamInfo::Offset;
using Connect = StreamInfo::UpstreamConnect;

// Both members null: when the request began.
struct Point {
  std::string_view name;
  Offset StreamInfo::*offset = nullptr;
  StreamInfo::MonotonicTime Connect::*of_connection = nullptr;
};

constexpr Point kPoints[] = {
    {"DS_RX_BEG"},
    {"DS_RX_END", &StreamInfo::request_end},
    {"US_CX_BEG", nullptr, &Connect::begin},
    {"US_CX_END", nullptr, &Connect::end},
    {"US_HS_END", nullptr, &Connect::handshake_end},
    {"US_TX_BEG", &StreamInfo::upstream_request_start},
    {"US_TX_END", &StreamInfo::upstream_request_end},
    {"US_RX_BEG", &StreamInfo::response_start},
    {"US_RX_BODY_BEG", &StreamInfo::response_body_start},
    {"US_RX_END", &StreamInfo::upstream_response_end},
    {"DS_TX_BEG", &StreamInfo::downstream_response_start},
    {"DS_TX_END", &StreamInfo::response_end},
};

const Point* pointOf(std::string_view name) {
  const Point* const found =
      std::find_if(std::begin(kPoints), std::end(kPoints), [name](const Point& point) { return point.name == name; });
  return found == std::end(kPoints) ? nullptr : found;
}

// From the start of the request; connections are older than most of theirs. Nothing: it has not happened.
std::optional<Offset> offsetOf(const Point& point, const StreamInfo& info) {
  if (point.of_connection != nullptr) {
    const StreamInfo::MonotonicTime time = info.upstream_connect.*point.of_connection;
    return time == StreamInfo::MonotonicTime() ? std::nullopt : std::optional(info.since(time));
  }
  if (point.offset == nullptr) return Offset(0);
  const Offset offset = info.*point.offset;
  return offset.count() < 0 ? std::nullopt : std::optional(offset);
}

class CommonDuration final : public ExtendedOperator {
 public:
  CommonDuration(const Point& from, const Point& to, int64_t unit) : from_(from), to_(to), unit_(unit) {}

  FormatValue read(const FormatContext& context, FormatScratch&) const override {
    const std::optional<Offset> from = offsetOf(from_, context.info), to = offsetOf(to_, context.info);
    if (!from || !to || *to < *from) return {};
    return {FormatValue::Kind::kNumber, {}, static_cast<uint64_t>((*to - *from).count() / unit_), nullptr};
  }

 private:
  const Point& from_;
  const Point& to_;
  const int64_t unit_;  // nanoseconds
};

std::string names() {
  std::string out;
  for (const Point& point : kPoints) base::strAppend(out, out.empty() ? "" : ", ", point.name);
  return out;
}

}  // namespace

absl::Status parseCommonDuration(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  const auto wrong = [&spelling](std::string_view what) {
    return absl::InvalidArgumentError(base::strCat("%", spelling.name, "%: ", what));
  };
  const std::string_view text = spelling.arguments;
  const size_t first = text.find(':');
  const size_t second = first == text.npos ? text.npos : text.find(':', first + 1);
  if (second == text.npos || text.find(':', second + 1) != text.npos) {
    return wrong("write START:END:PRECISION, as in DS_RX_BEG:DS_TX_END:us");
  }
  const std::string_view from = text.substr(0, first), to = text.substr(first + 1, second - first - 1);
  for (const std::string_view name : {from, to}) {
    if (pointOf(name) == nullptr) return wrong(base::strCat("'", name, "' is no time point; known are ", names()));
  }
  const std::string_view precision = text.substr(second + 1);
  const int64_t unit = precision == "ms" ? 1'000'000 : precision == "us" ? 1'000 : precision == "ns" ? 1 : 0;
  if (unit == 0) return wrong("the precision is ms, us or ns");
  op.extended = std::make_shared<const CommonDuration>(*pointOf(from), *pointOf(to), unit);
  return absl::OkStatus();
}

}  // namespace sluice::stream
