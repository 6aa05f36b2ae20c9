#include "source/router/retry_rules.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/numbers.h"
#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/http/grpc.h"
#include "source/http/rules.h"

namespace sluice::router {
namespace {

namespace on = route::retry_on;
using http::Name;
using std::chrono::milliseconds;
using upstream::AttemptEnd;

// Without a number of their own (http::Name).
constexpr std::string_view kRetryOn = "x-envoy-retry-on";
constexpr std::string_view kRetryGrpcOn = "x-envoy-retry-grpc-on";
constexpr std::string_view kMaxRetries = "x-envoy-max-retries";
constexpr std::string_view kStatusCodes = "x-envoy-retriable-status-codes";
constexpr std::string_view kHeaderNames = "x-envoy-retriable-header-names";
constexpr std::string_view kHedge = "x-envoy-hedge-on-per-try-timeout";
constexpr std::string_view kWords[] = {kRetryOn, kRetryGrpcOn, kMaxRetries, kStatusCodes, kHeaderNames, kHedge};

// Of a caller's list. More would have each answer compared with thousands.
constexpr size_t kMostWords = 64;

constexpr uint32_t kAnyReset = on::kReset | on::k5xx | on::kGatewayError;

const route::RetryPolicy& policyOr(const route::RetryPolicy* policy) {
  static const route::RetryPolicy kNone;
  return policy != nullptr ? *policy : kNone;
}

template <typename Number>
std::optional<Number> numberOf(std::string_view text) {
  Number number = 0;
  return absl::SimpleAtoi(base::toAbsl(text), &number) ? std::optional(number) : std::nullopt;
}

uint32_t bitOfGrpc(std::string_view status) {
  switch (http::grpc::parseStatus(status)) {
    case 1:
      return on::kCancelled;
    case http::grpc::kDeadlineExceeded:
      return on::kDeadlineExceeded;
    case http::grpc::kResourceExhausted:
      return on::kResourceExhausted;
    case http::grpc::kInternal:
      return on::kInternal;
    case http::grpc::kUnavailable:
      return on::kUnavailable;
    default:
      return 0;
  }
}

bool refused(http::ResetReason reason) {
  return reason == http::ResetReason::kRefused || reason == http::ResetReason::kUnprocessed;
}

}  // namespace

// One look at each field: most requests have none of them.
bool RetryRules::asked(const http::RequestHeaders& head) {
  if (head.has(Name::kXEnvoyUpstreamRqPerTryTimeoutMs)) return true;
  return std::any_of(head.begin(), head.end(), [](const http::Field& field) {
    return field.id == Name::kOther && field.name.starts_with("x-envoy-") &&
           std::find(std::begin(kWords), std::end(kWords), field.name) != std::end(kWords);
  });
}

RetryRules::RetryRules(const route::RetryPolicy* policy, http::RequestHeaders& head, bool hedges)
    : policy_(policyOr(policy)),
      on_(policy_.on),
      left_(policy_.num_retries),
      hedges_(hedges),
      per_try_timeout_(policy_.per_try_timeout),
      interval_(policy_.base_interval) {
  const bool has_words = asked(head);
  if (has_words) addWordsOf(head);
  const auto& wanted = policy_.request_headers;
  if (!wanted.empty() &&
      std::none_of(wanted.begin(), wanted.end(), [&head](const auto& matcher) { return matcher.matches(head); })) {
    on_ = 0;
  }
  if (has_words) removeWordsOf(head);
}

void RetryRules::addWordsOf(const http::RequestHeaders& head) {
  if (const auto words = head.get(kRetryOn)) on_ |= route::parseRetryOn(*words) & ~on::kOfGrpc;
  if (const auto words = head.get(kRetryGrpcOn)) on_ |= route::parseRetryOn(*words) & on::kOfGrpc;
  if (const auto text = head.get(kMaxRetries)) left_ = numberOf<uint32_t>(*text).value_or(left_);
  if (const auto text = head.get(Name::kXEnvoyUpstreamRqPerTryTimeoutMs)) {
    if (const auto wait = numberOf<uint32_t>(*text)) per_try_timeout_ = milliseconds(*wait);
  }
  if (const auto word = head.get(kHedge); word == "true" || word == "false") hedges_ = word == "true";
  addListsOf(head);
}

void RetryRules::addListsOf(const http::RequestHeaders& head) {
  const auto codes = head.get(kStatusCodes), names = head.get(kHeaderNames);
  if (!codes && !names) return;
  lists_ = std::make_unique<Lists>();
  http::forEachElement(codes.value_or(""), [this](std::string_view word) {
    const auto code = lists_->status_codes.size() < kMostWords ? numberOf<uint32_t>(word) : std::nullopt;
    if (code) lists_->status_codes.push_back(*code);
  });
  http::forEachElement(names.value_or(""), [this](std::string_view word) {
    if (lists_->header_names.size() < kMostWords) lists_->header_names.push_back(base::lowered(word));
  });
}

void RetryRules::removeWordsOf(http::RequestHeaders& head) {
  for (const std::string_view word : kWords) head.remove(word);
  head.remove(Name::kXEnvoyUpstreamRqPerTryTimeoutMs);
}

bool RetryRules::coverFailure(const AttemptEnd& failure, bool began) const {
  using Kind = AttemptEnd::Kind;
  using upstream::pool::Failure;
  if (on_ == 0) return false;
  uint32_t covering = kAnyReset;
  if (!began) covering |= on::kResetBeforeRequest;
  switch (failure.kind) {
    case Kind::kNoConnection:
      // What waited too long here does not get better by waiting again; what a host does not speak it will not learn.
      if (failure.connection == Failure::kOverflow || failure.connection == Failure::kUpgradeRefused) return false;
      covering |= on::kConnectFailure;
      break;
    case Kind::kReset:
      if (refused(failure.reset)) covering |= on::kRefusedStream;
      if (failure.reset == http::ResetReason::kUnprocessed) covering |= on::kResetBeforeRequest;
      break;
    case Kind::kTimeout:
      if (failure.timer == AttemptEnd::Timer::kRequest) return false;
      break;
    default:
      return false;
  }
  return (on_ & covering) != 0;
}

bool RetryRules::coverAnswer(const http::ResponseHeaders& answer, const http::RequestHeaders& request) const {
  if (on_ == 0) return false;
  if (answer.has(Name::kXEnvoyRatelimited)) return (on_ & on::kEnvoyRatelimited) != 0;
  const uint16_t status = answer.status;
  if ((on_ & on::k5xx) != 0 && status >= 500 && status < 600) return true;
  if ((on_ & on::kGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((on_ & on::kRetriable4xx) != 0 && status == 409) return true;
  if ((on_ & on::kRetriableStatusCodes) != 0) {
    const auto holds = [status](const std::vector<uint32_t>& codes) {
      return std::find(codes.begin(), codes.end(), status) != codes.end();
    };
    // Too early for a client that sent it early: it has to send it again itself (RFC 8470 section 5.2).
    const bool held = holds(policy_.status_codes) || (lists_ && holds(lists_->status_codes));
    if (held && !(status == 425 && request.get("early-data"))) return true;
  }
  if ((on_ & on::kRetriableHeaders) != 0) {
    const auto by_matcher = [&answer](const match::HeaderMatcher& matcher) { return matcher.matches(answer); };
    const auto by_name = [&answer](const std::string& name) { return answer.lookup(name).has_value(); };
    if (std::any_of(policy_.headers.begin(), policy_.headers.end(), by_matcher)) return true;
    if (lists_ && std::any_of(lists_->header_names.begin(), lists_->header_names.end(), by_name)) return true;
  }
  if ((on_ & on::kOfGrpc) == 0) return false;
  const auto grpc_status = answer.get(Name::kGrpcStatus);
  return grpc_status && (on_ & bitOfGrpc(*grpc_status)) != 0;
}

// 0: the answer says nothing that can be followed.
milliseconds RetryRules::toldWait(const http::ResponseHeaders& answer,
                                  std::chrono::system_clock::time_point now) const {
  using std::chrono::seconds;
  constexpr int64_t kMost = INT64_MAX / 1'000'000'000;  // seconds that any clock can count
  for (const route::ResetHeader& header : policy_.reset_headers) {
    const auto text = answer.get(header.name);
    const auto number = text ? numberOf<int64_t>(*text) : std::nullopt;
    if (!number || *number < 0 || *number > kMost) continue;
    const auto since_1970 = std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
    const milliseconds told = seconds(*number);
    const milliseconds wait = header.timestamp ? told - since_1970 : told;
    if (wait.count() > 1 && wait <= policy_.max_reset_interval) return wait;
  }
  return milliseconds(0);
}

RetryRules::Wait RetryRules::nextWait(const http::ResponseHeaders* answer, std::chrono::system_clock::time_point now,
                                      uint64_t random) {
  if (answer != nullptr && !policy_.reset_headers.empty()) {
    if (const milliseconds told = toldWait(*answer, now); told.count() > 0) {
      return {told + milliseconds(random % static_cast<uint64_t>(told.count() / 2 + 1)), true};
    }
  }
  const milliseconds interval = interval_;
  interval_ = std::min(interval_ * 2, policy_.max_interval);
  return {milliseconds(random % static_cast<uint64_t>(std::max<int64_t>(interval.count(), 1))), false};
}

}  // namespace sluice::router
