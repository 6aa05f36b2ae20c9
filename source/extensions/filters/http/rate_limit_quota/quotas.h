// The quotas of a filter: buckets that all workers share, and main's streams to the service that assigns to them.
//
// A request costs a look into a map of its own worker. Only the first one of a worker for a bucket takes a lock, to
// find it in the table of all, and only the first of all tells main of it. Thread: made on main; take() on workers; it
// may be destroyed on any thread.
#pragma once

#include <memory>
#include <string>

#include "source/event/loop.h"
#include "source/extensions/filters/http/rate_limit_quota/bucket.h"
#include "source/extensions/filters/http/rate_limit_quota/quota_stream.h"
#include "source/filter/grpc_client.h"
#include "source/observability/stats.h"
#include "source/worker/local.h"
#include "source/worker/main_services.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

class Quotas {
 public:
  // Longer ids have no bucket: so many short ones are all that clients can make.
  static constexpr size_t kMaxKey = 1024;

  struct Setup {
    worker::MainServices& main;
    worker::LocalSlots slots;
    observability::StatsScope stats;
    std::string prefix;  // of the stats
    filter::GrpcTarget target;
    uint64_t seed = 1;  // of jitter
  };
  explicit Quotas(Setup setup);
  ~Quotas();
  Quotas(const Quotas&) = delete;
  Quotas& operator=(const Quotas&) = delete;

  // Decides about a request, and counts it in its bucket. Where buckets have the same id the settings of the first
  // hold.
  Verdict take(worker::WorkerServices& worker, const std::string& domain, const BucketId& id,
               const BucketSettingsPtr& settings, TimePoint now) const;

 private:
  class OnMain;
  class OnWorker;

  event::Loop& main_;  // workers, who may be the last to let go of this, outlive main's services
  const std::shared_ptr<BucketTable> table_;
  std::shared_ptr<OnMain> on_main_;  // goes there
  const worker::WorkerLocal<OnWorker> on_worker_;
};

}  // namespace sluice::extensions::http_filters::rate_limit_quota
