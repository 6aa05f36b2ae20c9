#include "source/extensions/filters/http/rate_limit_quota/quotas.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

// Thread: main.
class Quotas::OnMain {
 public:
  OnMain(Setup setup, std::shared_ptr<BucketTable> table)
      : stats_(std::move(setup.stats)),
        table_(std::move(table)),
        world_{setup.main, std::move(setup.target), statsOf(*stats_, setup.prefix), *table_, base::Random(setup.seed)} {
  }

  void add(const std::string& domain, BucketPtr bucket) {
    std::unique_ptr<QuotaStream>& stream = streams_[domain];
    if (!stream) stream = std::make_unique<QuotaStream>(world_, domain);
    stream->add(std::move(bucket));
  }

 private:
  static QuotaStream::Stats statsOf(observability::Scope& scope, const std::string& prefix) {
    return {scope.counter(prefix + "buckets"), scope.counter(prefix + "assignments"), scope.counter(prefix + "error")};
  }

  const observability::StatsScope stats_;
  const std::shared_ptr<BucketTable> table_;
  QuotaStream::World world_;
  std::map<std::string, std::unique_ptr<QuotaStream>> streams_;  // by domain
};

// The buckets that a worker has seen.
class Quotas::OnWorker {
 public:
  // nullopt: it is unknown here, or gone.
  std::optional<Verdict> take(const std::string& key, TimePoint now) {
    const auto known = views_.find(key);
    if (known == views_.end()) return std::nullopt;
    const auto verdict = known->second.take(now);
    if (!verdict) views_.erase(known);
    return verdict;
  }
  void add(BucketPtr bucket) {
    if (views_.size() >= sweep_at_) sweep();
    const std::string& key = bucket->key;
    views_.insert_or_assign(key, BucketView(std::move(bucket)));
  }

 private:
  // Whenever there are twice as many as were left the last time.
  void sweep() {
    absl::erase_if(views_, [](const auto& item) { return item.second.isGone(); });
    sweep_at_ = std::max<size_t>(64, views_.size() * 2);
  }

  absl::flat_hash_map<std::string, BucketView> views_;
  size_t sweep_at_ = 64;
};

Quotas::Quotas(Setup setup)
    : main_(setup.main.loop),
      table_(std::make_shared<BucketTable>()),
      on_worker_(setup.slots, [](worker::WorkerServices&) { return std::make_unique<OnWorker>(); }) {
  on_main_ = std::make_shared<OnMain>(std::move(setup), table_);
}

Quotas::~Quotas() {
  main_.post([gone = std::move(on_main_)] {});
}

Verdict Quotas::take(worker::WorkerServices& worker, const std::string& domain, const BucketId& id,
                     const BucketSettingsPtr& settings, TimePoint now) const {
  const std::string key = keyOf(domain, id);
  OnWorker& seen = on_worker_.get(worker);
  if (const auto verdict = seen.take(key, now)) return *verdict;
  const auto [bucket, made] = key.size() <= kMaxKey ? table_->findOrMake(key, id, settings) : BucketTable::Found{};
  if (bucket == nullptr) return withoutBucket(*settings, now);
  seen.add(bucket);
  const auto verdict = seen.take(key, now);
  if (made) {
    worker.postToMain([weak = std::weak_ptr(on_main_), domain, bucket = bucket] {
      if (const auto on_main = weak.lock()) on_main->add(domain, bucket);
    });
  }
  return verdict ? *verdict : withoutBucket(*settings, now);  // it has gone in this moment
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
