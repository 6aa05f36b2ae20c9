// When a request that failed is sent again: the compiled policy of a virtual host or a route. Immutable, shared by all
// workers. (proto: config.route.v3.RetryPolicy)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/priority_set.h"
#include "source/match/header.h"
#include "source/stream/metadata.h"

namespace sluice::route {

// What a request is sent again for, as bits.
// (proto: RetryPolicy.retry_on; x-envoy-retry-on, x-envoy-retry-grpc-on)
namespace retry_on {
inline constexpr uint32_t k5xx = 1 << 0;
inline constexpr uint32_t kGatewayError = 1 << 1;
inline constexpr uint32_t kReset = 1 << 2;
inline constexpr uint32_t kResetBeforeRequest = 1 << 3;
inline constexpr uint32_t kConnectFailure = 1 << 4;
inline constexpr uint32_t kEnvoyRatelimited = 1 << 5;
inline constexpr uint32_t kRetriable4xx = 1 << 6;
inline constexpr uint32_t kRefusedStream = 1 << 7;
inline constexpr uint32_t kRetriableStatusCodes = 1 << 8;
inline constexpr uint32_t kRetriableHeaders = 1 << 9;
inline constexpr uint32_t kHttp3PostConnectFailure = 1 << 10;  // there is no HTTP/3 to a host: of no effect
inline constexpr uint32_t kCancelled = 1 << 11;
inline constexpr uint32_t kDeadlineExceeded = 1 << 12;
inline constexpr uint32_t kInternal = 1 << 13;
inline constexpr uint32_t kResourceExhausted = 1 << 14;
inline constexpr uint32_t kUnavailable = 1 << 15;

inline constexpr uint32_t kOfGrpc = kCancelled | kDeadlineExceeded | kInternal | kResourceExhausted | kUnavailable;
}  // namespace retry_on

// The bits of words that commas separate. Unknown words say nothing; they go into `unknown` if that is given.
uint32_t parseRetryOn(std::string_view words, std::vector<std::string_view>* unknown = nullptr);

// A host that the balancer has chosen for a retry.
struct RetryHost {
  const stream::MetadataFields* metadata = nullptr;  // of its endpoint; null: none
  bool tried = false;                                // by an attempt before
};

// Hosts that a retry passes over while it may ask for others. Made by extensions. (proto: retry_host_predicate)
class RetryHostPredicate {
 public:
  virtual ~RetryHostPredicate() = default;
  virtual bool refuses(const RetryHost& host) const = 0;
};

// Of which priorities hosts get a retry. Made by extensions. (proto: retry_priority)
class RetryPriority {
 public:
  virtual ~RetryPriority() = default;
  // Which priorities are passed over while another one has a host. `tried`: those of the attempts so far, in order; it
  // begins anew after the priorities with hosts have all been passed over.
  virtual base::PrioritySet passedOver(std::span<const uint8_t> tried) const = 0;
};

// A header of an answer that says when to come back. (proto: RetryPolicy.ResetHeader)
struct ResetHeader {
  std::string name;        // in lower case
  bool timestamp = false;  // seconds since 1970; else from now on
};

struct RetryPolicy {
  static constexpr std::chrono::milliseconds kBaseInterval{25};
  static constexpr uint32_t kMaxIntervalFactor = 10;

  uint32_t on = 0;  // bits of retry_on; 0: nothing is sent again, but limits of a try hold
  uint32_t num_retries = 1;
  std::chrono::milliseconds per_try_timeout{0};       // 0: none
  std::chrono::milliseconds per_try_idle_timeout{0};  // 0: none
  std::chrono::milliseconds base_interval = kBaseInterval;
  std::chrono::milliseconds max_interval = kBaseInterval * kMaxIntervalFactor;  // not below base_interval
  std::vector<uint32_t> status_codes;
  std::vector<match::HeaderMatcher> headers;          // of answers: one is enough
  std::vector<match::HeaderMatcher> request_headers;  // empty: any request; else one has to match
  std::vector<ResetHeader> reset_headers;             // the first that says something usable counts
  std::chrono::milliseconds max_reset_interval{300'000};
  std::vector<std::shared_ptr<const RetryHostPredicate>> host_predicates;
  uint32_t host_repicks = 1;                      // how often another host is asked for
  std::shared_ptr<const RetryPriority> priority;  // null: of any
};

}  // namespace sluice::route
