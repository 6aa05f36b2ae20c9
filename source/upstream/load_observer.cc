#include "source/upstream/load_observer.h"

#include "source/upstream/attempt.h"

namespace sluice::upstream {

void LoadObserver::onAttemptHead(const Attempt& attempt) {
  look(attempt, attempt.answer());
}

void LoadObserver::onAttemptTrailers(const Attempt& attempt, const http::Trailers& trailers) {
  look(attempt, trailers);
}

void LoadObserver::look(const Attempt& attempt, const http::HeaderList& fields) {
  lb::LoadReport report = weights_.newReport();
  const lb::LoadReportFound found = lb::readLoadReport(fields, report);
  if (found == lb::LoadReportFound::kNone) return;
  if (found == lb::LoadReportFound::kInvalid) {
    observability::LateCounters::Cell* cell = attempt.cluster()->lateCounts().cellOf("lb_load_report_invalid");
    if (cell != nullptr) cell->add();
    return;
  }
  const std::optional<double> weight = weights_.weightOf(report);
  if (!weight) return;
  attempt.host().monitor().loadWeight().report(*weight, attempt.cluster()->context().loop.now(),
                                               weights_.settings().expiration);
}

}  // namespace sluice::upstream
