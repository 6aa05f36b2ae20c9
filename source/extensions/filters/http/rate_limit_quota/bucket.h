// A bucket: the requests that count together, and what is assigned to them.
//
// Main says what holds (Terms); workers decide by it and count. Deciding costs a worker two loads, the token, and one
// increment; a lock only after main has said something new.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/extensions/filters/http/rate_limit_quota/strategy.h"
#include "source/match/input.h"
#include "source/route/mutation.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

// What the service knows it by: values under keys, in the order of the keys. In UTF-8.
using BucketId = std::vector<std::pair<std::string, std::string>>;

// The id in one text, as no other one of any domain.
std::string keyOf(std::string_view domain, const BucketId& id);

// (proto: RateLimitQuotaBucketSettings) Immutable but for the tokens of `without_bucket`.
struct BucketSettings {
  struct IdPart {
    std::string key;
    std::string text;
    std::shared_ptr<const match::Input> input;  // instead of `text`; null: none
  };
  struct Denial {
    uint16_t status = 429;
    std::string body;
    int grpc_status = 14;  // with its message, to gRPC clients
    std::string grpc_message;
    route::HeaderMutations headers;
  };
  struct Expiry {
    std::optional<std::chrono::nanoseconds> timeout;  // nullopt: it holds until something is assigned
    std::optional<Strategy> strategy;                 // nullopt: the last assignment
  };

  std::vector<IdPart> id;  // in the order of the keys; empty: there is no bucket
  std::chrono::milliseconds reporting_interval{0};
  Denial denial;
  Strategy no_assignment;
  std::optional<Expiry> expiry;  // nullopt: as if nothing was assigned
  // Of all requests together for which there is no bucket.
  std::shared_ptr<const Limit> without_bucket;
};
using BucketSettingsPtr = std::shared_ptr<const BucketSettings>;

// Why a request was let through, or not.
enum class Basis : uint8_t { kAssigned, kExpired, kNoAssignment, kNoBucket };

struct Verdict {
  bool allowed = true;
  Basis basis = Basis::kNoBucket;
};

inline Verdict withoutBucket(const BucketSettings& settings, TimePoint now) {
  return {settings.without_bucket->allow(now), Basis::kNoBucket};
}

// What holds when. Immutable but for tokens.
struct Terms {
  std::shared_ptr<const Limit> assigned;  // null: nothing so far
  TimePoint assigned_until{};
  std::shared_ptr<const Limit> expired;  // then; null with `assigned`
  TimePoint expired_until{};             // not before `assigned_until`
  std::shared_ptr<const Limit> unassigned;

  Verdict decide(TimePoint now) const {
    if (assigned && now < assigned_until) return {assigned->allow(now), Basis::kAssigned};
    if (assigned && now < expired_until) return {expired->allow(now), Basis::kExpired};
    return {unassigned->allow(now), Basis::kNoAssignment};
  }
  bool isActive(TimePoint now) const { return assigned && now < assigned_until; }
  // An assignment, and what holds behind it, is over.
  bool isOver(TimePoint now) const { return assigned && now >= expired_until; }

  // Where this strategy is assigned now. nullopt: it has no end. One that is active and the same goes on with the
  // tokens it has.
  std::shared_ptr<const Terms> assign(const Strategy& strategy, std::optional<std::chrono::nanoseconds> time_to_live,
                                      const BucketSettings& settings, TimePoint now) const;
};
using TermsPtr = std::shared_ptr<const Terms>;

class Bucket {
 public:
  Bucket(std::string key, BucketId id, BucketSettingsPtr settings);
  Bucket(const Bucket&) = delete;
  Bucket& operator=(const Bucket&) = delete;

  const std::string key;
  const BucketId id;
  const BucketSettingsPtr settings;
  // All that were ever let through, and refused.
  std::atomic<uint64_t> allowed{0};
  std::atomic<uint64_t> denied{0};

  // Main. Null: the bucket is gone, workers forget it.
  void set(TermsPtr terms);
  TermsPtr terms() const;

 private:
  friend class BucketView;
  mutable std::mutex mutex_;
  TermsPtr terms_;
  std::atomic<uint64_t> version_{1};
};
using BucketPtr = std::shared_ptr<Bucket>;

// A bucket as one worker knows it. Thread: the worker's.
class BucketView {
 public:
  explicit BucketView(BucketPtr bucket) : bucket_(std::move(bucket)) {}

  // Decides about a request and counts it; nullopt: the bucket is gone.
  std::optional<Verdict> take(TimePoint now);
  bool isGone() const { return bucket_->terms() == nullptr; }

 private:
  BucketPtr bucket_;
  uint64_t version_ = 0;
  TermsPtr terms_;
};

}  // namespace sluice::extensions::http_filters::rate_limit_quota
