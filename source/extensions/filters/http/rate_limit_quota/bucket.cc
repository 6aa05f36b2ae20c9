#include "source/extensions/filters/http/rate_limit_quota/bucket.h"

#include "absl/strings/str_cat.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

using std::chrono::nanoseconds;

constexpr TimePoint kNever = TimePoint::max();

TimePoint later(TimePoint from, std::optional<nanoseconds> by) {
  return !by || *by >= kNever - from ? kNever : from + *by;
}

}  // namespace

std::string keyOf(std::string_view domain, const BucketId& id) {
  std::string out = absl::StrCat(domain.size(), ":", absl::string_view(domain.data(), domain.size()));
  for (const auto& [key, value] : id) absl::StrAppend(&out, key.size(), ":", key, value.size(), ":", value);
  return out;
}

TermsPtr Terms::assign(const Strategy& strategy, std::optional<nanoseconds> time_to_live,
                       const BucketSettings& settings, TimePoint now) const {
  auto next = std::make_shared<Terms>(*this);
  if (!isActive(now) || assigned->strategy() != strategy) next->assigned = std::make_shared<Limit>(strategy);
  next->assigned_until = next->expired_until = later(now, time_to_live);
  next->expired = next->assigned;
  if (!settings.expiry) return next;
  next->expired_until = later(next->assigned_until, settings.expiry->timeout);
  if (settings.expiry->strategy) {
    next->expired = assigned ? expired : std::make_shared<Limit>(*settings.expiry->strategy);
  }
  return next;
}

Bucket::Bucket(std::string key_text, BucketId bucket_id, BucketSettingsPtr bucket_settings)
    : key(std::move(key_text)), id(std::move(bucket_id)), settings(std::move(bucket_settings)) {
  auto terms = std::make_shared<Terms>();
  terms->unassigned = std::make_shared<Limit>(settings->no_assignment);
  terms_ = std::move(terms);
}

void Bucket::set(TermsPtr terms) {
  const std::lock_guard lock(mutex_);
  terms_.swap(terms);
  version_.fetch_add(1, std::memory_order_release);
}

TermsPtr Bucket::terms() const {
  const std::lock_guard lock(mutex_);
  return terms_;
}

std::optional<Verdict> BucketView::take(TimePoint now) {
  if (const uint64_t version = bucket_->version_.load(std::memory_order_acquire); version != version_) {
    // What is newer than `version` is read again with the next request.
    terms_ = bucket_->terms();
    version_ = version;
  }
  if (!terms_) return std::nullopt;
  const Verdict verdict = terms_->decide(now);
  (verdict.allowed ? bucket_->allowed : bucket_->denied).fetch_add(1, std::memory_order_relaxed);
  return verdict;
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
