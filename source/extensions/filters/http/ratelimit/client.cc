#include "source/extensions/filters/http/ratelimit/client.h"

#include "absl/strings/str_cat.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "source/base/utf8.h"
#include "source/filter/metadata_struct.h"

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

LimitStatus statusOf(const RateLimitResponse::DescriptorStatus& status) {
  const auto& limit = status.current_limit();
  return {.over_limit = status.code() == RateLimitResponse::OVER_LIMIT,
          .has_limit = status.has_current_limit(),
          .requests_per_unit = limit.requests_per_unit(),
          .window_seconds = windowOf(limit.unit()),
          .name = limit.name(),
          .remaining = status.limit_remaining(),
          .reset_seconds = status.duration_until_reset().seconds()};
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
    if (descriptor.negative_hits) proto.set_is_negative_hits(true);
    if (descriptor.limit) {
      proto.mutable_limit()->set_requests_per_unit(descriptor.limit->requests_per_unit);
      proto.mutable_limit()->set_unit(static_cast<envoy::type::v3::RateLimitUnit>(descriptor.limit->unit));
    }
    for (const auto& [key, value] : descriptor.entries) {
      auto& entry = *proto.add_entries();
      entry.set_key(key);
      entry.set_value(base::asUtf8(value));
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
  for (const auto& status : proto.statuses()) out.statuses.push_back(statusOf(status));
  out.metadata = filter::readStruct(proto.dynamic_metadata());
  return out;
}

std::optional<Quota> quotaOf(const std::vector<LimitStatus>& statuses, const std::vector<bool>& shown) {
  const auto shows = [&](size_t index) { return index < shown.size() && shown[index] && statuses[index].has_limit; };
  const LimitStatus* tightest = nullptr;
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (shows(i) && (tightest == nullptr || statuses[i].remaining < tightest->remaining)) tightest = &statuses[i];
  }
  if (tightest == nullptr) return std::nullopt;
  Quota out{.limit = absl::StrCat(tightest->requests_per_unit),
            .remaining = tightest->remaining,
            .reset_seconds = tightest->reset_seconds};
  for (size_t i = 0; i < statuses.size(); ++i) {
    const LimitStatus& status = statuses[i];
    if (!shows(i) || status.window_seconds == 0) continue;
    absl::StrAppend(&out.limit, ", ", status.requests_per_unit, ";w=", status.window_seconds);
    if (!status.name.empty()) absl::StrAppend(&out.limit, ";name=\"", status.name, "\"");
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::ratelimit
