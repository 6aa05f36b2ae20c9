// What is counted of a request's answer beside what its attempts count: by who asked, by zones, in its virtual cluster,
// and in its route.
#pragma once

#include <chrono>
#include <cstdint>

#include "source/filter/stream.h"
#include "source/observability/stats.h"
#include "source/route/table.h"
#include "source/upstream/attempt.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// Thread: the worker's. Counts nothing before begin().
class RequestCounts {
 public:
  // The request goes to `cluster`. Its virtual cluster is told of the stream. `answers`: what is counted of them.
  void begin(upstream::WorkerCluster& cluster, filter::Stream& stream, upstream::AnswerStats answers);

  void add(observability::Counter route::RequestStats::*counter) {
    if (apart()) addToEach(counter);
  }
  // In a host's stead.
  void answered(uint16_t status) { answered(status, false); }
  // Of a host, which is a canary or says so. `zone`: the answers of its zone; null: they are not counted.
  void answered(const http::ResponseHeaders& head, bool of_canary, upstream::StatusCounts* zone) {
    answered(head.status, of_canary || head.get(http::Name::kXEnvoyUpstreamCanary) == "true");
    if (zone == nullptr || answers_ == upstream::AnswerStats::kNone) return;
    answers_ == upstream::AnswerStats::kAll ? zone->add(head.status) : zone->addCompleted();
  }
  void took(std::chrono::nanoseconds time) {
    if (apart() && answers_ != upstream::AnswerStats::kNone) record(time);
  }

 private:
  // It belongs to a virtual cluster or a route that is counted.
  bool apart() const { return of_route_ != nullptr || of_virtual_cluster_ != nullptr; }
  void answered(uint16_t status, bool canary) {
    if (cluster_ == nullptr || answers_ == upstream::AnswerStats::kNone) return;
    answers_ == upstream::AnswerStats::kAll ? cluster_->origins().add(status, internal_, canary)
                                            : cluster_->origins().addCompleted(internal_, canary);
    if (apart()) countAnswer(status);
  }
  observability::StatsCells& cells() const { return cluster_->context().cells; }
  void addToEach(observability::Counter route::RequestStats::*counter);
  void countAnswer(uint16_t status);
  void record(std::chrono::nanoseconds time);

  upstream::WorkerCluster* cluster_ = nullptr;  // null: the request goes to none; the router holds it
  const route::RequestStats* of_virtual_cluster_ = nullptr;
  const route::RequestStats* of_route_ = nullptr;
  upstream::AnswerStats answers_ = upstream::AnswerStats::kAll;
  bool internal_ = false;  // the caller is
};

}  // namespace sluice::router
