#include "source/extensions/filters/http/ratelimit/client.h"

#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"

namespace sluice::extensions::http_filters::ratelimit {
namespace {

namespace v3 = envoy::service::ratelimit::v3;
using v3::RateLimitResponse;
using HeaderValues = google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValue>;

// Seconds of a unit; 0 if it is unknown.
uint32_t windowOf(RateLimitResponse::RateLimit::Unit unit) {
  switch (unit) {
    case RateLimitResponse::RateLimit::SECOND:
      return 1;
    case RateLimitResponse::RateLimit::MINUTE:
      return 60;
    case RateLimitResponse::RateLimit::HOUR:
      return 3600;
    case RateLimitResponse::RateLimit::DAY:
      return 86400;
    case RateLimitResponse::RateLimit::WEEK:
      return 7 * 86400;
    case RateLimitResponse::RateLimit::MONTH:
      return 30 * 86400;
    case RateLimitResponse::RateLimit::YEAR:
      return 365 * 86400;
    default:
      return 0;
  }
}

std::optional<Quota> quotaOf(const RateLimitResponse& response) {
  const RateLimitResponse::DescriptorStatus* tightest = nullptr;
  for (const auto& status : response.statuses()) {
    if (!status.has_current_limit()) continue;
    if (tightest == nullptr || status.limit_remaining() < tightest->limit_remaining()) tightest = &status;
  }
  if (tightest == nullptr) return std::nullopt;
  Quota out{.limit = absl::StrCat(tightest->current_limit().requests_per_unit()),
            .remaining = tightest->limit_remaining(),
            .reset_seconds = tightest->duration_until_reset().seconds()};
  for (const auto& status : response.statuses()) {
    const auto& limit = status.current_limit();
    const uint32_t window = windowOf(limit.unit());
    if (window == 0) continue;
    absl::StrAppend(&out.limit, ", ", limit.requests_per_unit(), ";w=", window);
    if (!limit.name().empty()) absl::StrAppend(&out.limit, ";name=\"", limit.name(), "\"");
  }
  return out;
}

void read(const HeaderValues& headers, filter::HeaderChanges& out) {
  for (const auto& header : headers) {
    out.set.push_back({header.key(), header.raw_value().empty() ? header.value() : header.raw_value(),
                       filter::HeaderChange::Action::kAppend});
  }
}

}  // namespace

std::string encodeQuestion(std::string_view domain, const std::vector<Descriptor>& descriptors) {
  v3::RateLimitRequest out;
  out.set_domain(std::string(domain));
  for (const Descriptor& descriptor : descriptors) {
    auto& proto = *out.add_descriptors();
    if (descriptor.hits_addend) proto.mutable_hits_addend()->set_value(*descriptor.hits_addend);
    for (const auto& [key, value] : descriptor.entries) {
      auto& entry = *proto.add_entries();
      entry.set_key(key);
      entry.set_value(value);
    }
  }
  return out.SerializeAsString();
}

std::optional<Verdict> decodeVerdict(std::string_view message) {
  RateLimitResponse proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  Verdict out;
  switch (proto.overall_code()) {
    case RateLimitResponse::OK:
      break;
    case RateLimitResponse::OVER_LIMIT:
      out.over_limit = true;
      break;
    default:
      return std::nullopt;
  }
  read(proto.request_headers_to_add(), out.request_headers);
  read(proto.response_headers_to_add(), out.response_headers);
  out.body = proto.raw_body();
  out.quota = quotaOf(proto);
  return out;
}

}  // namespace sluice::extensions::http_filters::ratelimit
