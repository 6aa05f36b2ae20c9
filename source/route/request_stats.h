// What is counted of the requests of a virtual cluster, or of those of a route with a stat_prefix.
// (stats: vhost.NAME.vcluster.NAME.upstream_rq_*, vhost.NAME.route.PREFIX.upstream_rq_*)
//
// Made on main. Workers count by its handles in cells of their own; statuses, of which there are too many for a handle
// each, they count here together. Generations of a table that say the same share one, and so do routes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "source/observability/stats.h"

namespace sluice::route {

class RequestStats final : public observability::LateStats {
 public:
  // `of`: "vcluster" or "route".
  static std::shared_ptr<RequestStats> make(observability::StatsRegistry& registry, std::string_view virtual_host,
                                            std::string_view of, std::string_view name);
  explicit RequestStats(observability::Scope scope);
  ~RequestStats() override;

  // An answer for the client, of a host or in its stead. `by_status`: as one of its class and status, too. Any thread.
  void countAnswer(uint16_t status, observability::StatsCells& cells, bool by_status = true) const;

  void show(observability::StatsCells& cells) override;

  observability::Counter total, completed, timeout, retry, retry_success, retry_overflow, retry_limit_exceeded;
  observability::Histogram time;  // ms

 private:
  static constexpr uint16_t kFirst = 100, kEnd = 600;
  static constexpr size_t kClasses = 5;
  // How often each status of a class came.
  using Statuses = std::array<std::atomic<uint64_t>, 100>;
  // What of a status is in the registry already.
  struct Shown {
    observability::Counter counter;
    uint64_t count = 0;
  };

  // Any thread.
  Statuses& statusesOf(size_t of_class) const;

  observability::Scope scope_;
  std::array<observability::Counter, kClasses> classes_;
  // By class; null until an answer of it comes. Tables may have many thousands of routes that are counted.
  mutable std::array<std::atomic<Statuses*>, kClasses> statuses_{};
  std::map<uint16_t, Shown> shown_;  // main's
};

}  // namespace sluice::route
