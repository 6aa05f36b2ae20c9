#include "source/filter/access_log_filters.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "source/http/grpc.h"
#include "source/stream/chance.h"
#include "source/stream/grpc_status.h"

namespace sluice::filter {
namespace {

constexpr size_t kUnknown = 2;
// What is no number is no status.
constexpr size_t kInvalid = GrpcStatusFilter::kStatuses;

// The whole of `text`, or nullopt.
std::optional<uint64_t> numberOf(std::string_view text, int base) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

size_t grpcStatusOf(const stream::FormatContext& context) {
  const std::optional<std::string_view> said = stream::grpcStatusSent(context);
  if (said) return numberOf(*said, 10).value_or(kInvalid);
  if (context.info.grpc_status >= 0) return static_cast<size_t>(context.info.grpc_status);
  if (context.info.response_code == 0) return kUnknown;
  return static_cast<size_t>(http::grpc::statusOfHttp(context.info.response_code));
}

// The first 32 bits of a request id, which is a UUID.
std::optional<uint64_t> numberIn(std::string_view request_id) {
  constexpr size_t kDigits = 8;
  return request_id.size() < kDigits ? std::nullopt : numberOf(request_id.substr(0, kDigits), 16);
}

}  // namespace

bool GrpcStatusFilter::admits(const stream::FormatContext& context) const {
  const size_t status = grpcStatusOf(context);
  return (status < kStatuses && statuses_.test(status)) != exclude_;
}

bool SampleFilter::admits(const stream::FormatContext& context) const {
  return share_.sample([&] {
    const std::optional<uint64_t> number = independent_ ? std::nullopt : numberIn(context.info.request_id);
    return number ? *number : stream::drawChance();
  });
}

}  // namespace sluice::filter
