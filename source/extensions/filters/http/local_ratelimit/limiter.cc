#include "source/extensions/filters/http/local_ratelimit/limiter.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::local_ratelimit {
namespace {

using TimePoint = TokenBucket::TimePoint;

// Tokens of `a` come more slowly.
bool slower(const DescriptorConfig& a, const DescriptorConfig& b) {
  return static_cast<__int128>(a.bucket.tokens_per_fill) * b.bucket.fill_interval.count() <
         static_cast<__int128>(b.bucket.tokens_per_fill) * a.bucket.fill_interval.count();
}

// False: there are not enough tokens.
bool charge(TokenBucket& bucket, const Descriptor& descriptor, TimePoint now) {
  const uint64_t hits = descriptor.hits_addend.value_or(1);
  if (!descriptor.negative_hits) return bucket.take(now, hits);
  bucket.give(now, hits);
  return true;
}

void noteTightest(const TokenBucket& bucket, route::QuotaHeaders headers, Limiter::Verdict& out) {
  if (out.bucket != nullptr && out.bucket->remaining() <= bucket.remaining()) return;
  out.bucket = &bucket;
  out.quota_headers = headers;
}

}  // namespace

std::string bucketKey(const Descriptor& descriptor) {
  std::string out;
  for (const auto& [key, value] : descriptor.entries) absl::StrAppend(&out, value.size(), ":", value);
  // Seeded for each process, so that nobody can make a value that shares the bucket of another one.
  return out.size() <= kLongestKey ? out : absl::StrCat(out.size(), "#", absl::HashOf(out));
}

bool DescriptorConfig::isDynamic() const {
  return std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.second.empty(); });
}

bool DescriptorConfig::matches(const Descriptor& descriptor) const {
  return std::equal(entries.begin(), entries.end(), descriptor.entries.begin(), descriptor.entries.end(),
                    [](const auto& mine, const auto& its) {
                      return mine.first == its.first && (mine.second.empty() || mine.second == its.second);
                    });
}

Limiter::Buckets::Buckets(DescriptorConfig settings, uint32_t max_dynamic)
    : config(std::move(settings)), by_value(max_dynamic) {
  if (!config.isDynamic()) fixed = config.bucket.make();
}

TokenBucket& Limiter::Buckets::of(const Descriptor& descriptor, TimePoint now) {
  if (fixed) return *fixed;
  const std::string key = bucketKey(descriptor);
  const std::lock_guard lock(mutex);
  return by_value.of(
      key, [this] { return config.bucket.make(); }, [now](TokenBucket& bucket) { return bucket.isFull(now); });
}

bool Limiter::Buckets::isFull(TimePoint now) {
  if (fixed) return fixed->isFull(now);
  const std::lock_guard lock(mutex);
  return by_value.all([now](TokenBucket& bucket) { return bucket.isFull(now); });
}

Limiter::Limiter(LimiterConfig config) : always_take_from_bucket_(config.always_take_from_bucket) {
  if (config.bucket) bucket_ = config.bucket->make();
  std::stable_sort(config.descriptors.begin(), config.descriptors.end(), slower);
  for (DescriptorConfig& descriptor : config.descriptors) {
    descriptors_.push_back(std::make_unique<Buckets>(std::move(descriptor), config.max_dynamic));
  }
}

Limiter::Verdict Limiter::take(const std::vector<Descriptor>& descriptors, TimePoint now) {
  Verdict out;
  bool matched = false;
  for (const auto& buckets : descriptors_) {
    for (const Descriptor& descriptor : descriptors) {
      if (!buckets->config.matches(descriptor)) continue;
      matched = true;
      TokenBucket& bucket = buckets->of(descriptor, now);
      const bool enough = charge(bucket, descriptor, now);
      if (buckets->config.shadow) continue;
      if (!enough) return {false, &bucket, descriptor.quota_headers};
      noteTightest(bucket, descriptor.quota_headers, out);
    }
  }
  if (!bucket_ || (matched && !always_take_from_bucket_)) return out;
  if (!bucket_->take(now)) return {false, bucket_.get(), route::QuotaHeaders::kAsFilter};
  noteTightest(*bucket_, route::QuotaHeaders::kAsFilter, out);
  return out;
}

bool Limiter::isFull(TimePoint now) {
  return (!bucket_ || bucket_->isFull(now)) &&
         std::all_of(descriptors_.begin(), descriptors_.end(), [now](const auto& one) { return one->isFull(now); });
}

ConnectionLimiters::ConnectionLimiters(LimiterConfig config, const worker::LocalSlots& slots)
    : config_(std::move(config)), tables_(slots, [](worker::WorkerServices&) { return std::make_unique<Table>(); }) {}

Limiter& ConnectionLimiters::of(worker::WorkerServices& worker, uint64_t connection_id, TimePoint now) const {
  return tables_.get(worker).of(
      connection_id, [this] { return std::make_unique<Limiter>(config_); },
      [now](Limiter& limiter) { return limiter.isFull(now); });
}

}  // namespace sluice::extensions::http_filters::local_ratelimit
