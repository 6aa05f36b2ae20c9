#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/base/arena.h"
#include "source/upstream/lb/load_weights.h"

// The first byte says in which form the rest is. Whatever a report says, the weight that follows is a usable one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  using namespace sluice::upstream::lb;
  if (size == 0) return 0;
  static const LoadWeights weights({.metric_names = {"named_metrics.foo", "utilization.total", "mem_utilization"}});
  LoadReport report = weights.newReport();
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  base::Arena arena;
  http::HeaderList fields(arena);
  fields.addView("endpoint-load-metrics", text);
  const bool valid = data[0] == 't'   ? readLoadReportText(text, report)
                     : data[0] == 'j' ? readLoadReportJson(text, report)
                     : data[0] == 'b' ? readLoadReportBinary(text, report)
                                      : readLoadReport(fields, report) == LoadReportFound::kValid;
  if (!valid) return 0;
  if (!std::isfinite(report.utilization()) || report.utilization() < 0) std::abort();
  const auto weight = weights.weightOf(report);
  if (weight && !(*weight > 0 && std::isfinite(*weight))) std::abort();
  return 0;
}
