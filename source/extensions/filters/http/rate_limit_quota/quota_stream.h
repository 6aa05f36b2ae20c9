// The buckets of one domain on main: their reports to the service, and what it assigns to them.
//
// - There is one stream to the service, from the first bucket on. It is made again when it ends, after a while that
//   grows with each failure; buckets go on by their terms meanwhile, and are reported with their usage since the last
//   report when there is a stream again.
// - A new bucket is reported at once, and so is one to which something else is assigned than before; all others of the
//   same interval are reported together.
// - A bucket goes when the service forgets it, when its assignment and what holds behind that are over, when nothing
//   was assigned and nobody asked for kUnassignedLife, and, while there are as many as may be, when nobody asked for
//   kSilence.
//
// Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/random.h"
#include "source/event/timer.h"
#include "source/extensions/filters/http/rate_limit_quota/bucket.h"
#include "source/extensions/filters/http/rate_limit_quota/bucket_table.h"
#include "source/extensions/filters/http/rate_limit_quota/messages.h"
#include "source/filter/calls.h"
#include "source/filter/grpc_client.h"
#include "source/observability/stats.h"
#include "source/worker/main_services.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

class QuotaStream final : private filter::GrpcEvents {
 public:
  static constexpr std::chrono::seconds kUnassignedLife{60};
  static constexpr std::chrono::seconds kSilence{10};
  // Between two streams. (base::failureDelay)
  static constexpr std::chrono::milliseconds kFirstWait{500}, kLastWait{30'000};
  // More buckets than this are reported in several messages.
  static constexpr size_t kMostInReport = 500;
  // While more of reports waits for the service there are no others.
  static constexpr size_t kMostUnsent = 1 << 20;

  struct Stats {
    observability::Counter buckets, assignments, error;
  };
  // Outlives it.
  struct World {
    worker::MainServices& main;
    const filter::GrpcTarget target;
    const Stats stats;
    BucketTable& table;
    base::Random random;
  };

  QuotaStream(World& world, std::string domain);
  QuotaStream(const QuotaStream&) = delete;
  QuotaStream& operator=(const QuotaStream&) = delete;

  // One that was just made.
  void add(BucketPtr bucket);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    BucketPtr bucket;
    TimePoint reported_at, asked_at;
    // Of the bucket's counts, at the last report.
    uint64_t allowed = 0, denied = 0;
    uint64_t seen = 0;  // of both, when that was looked at last
  };

  void open();
  void onDue(std::chrono::milliseconds interval);
  bool mayGo(const Entry& entry, bool crowded, TimePoint now) const;
  void report(const std::vector<Entry*>& entries);
  void take(const BucketAction& action);

  void onGrpcMessage(std::string_view message) override;
  void onGrpcEnd(int status, std::string_view message) override;

  World& world_;
  const std::string domain_;
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<std::chrono::milliseconds, std::unique_ptr<event::Timer>> reports_;  // by interval
  std::unique_ptr<filter::GrpcCall> call_;                                      // null: there is no stream
  event::Timer reopen_;
  uint32_t failures_ = 0;  // of streams, since the last message
};

}  // namespace sluice::extensions::http_filters::rate_limit_quota
