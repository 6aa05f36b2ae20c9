// Refuses the more requests the fewer of the last ones succeeded, each worker by what it saw itself.
// (proto: envoy.extensions.filters.http.admission_control.v3.AdmissionControl)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "source/extensions/filters/http/admission_control/window.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/worker/local.h"

namespace sluice::extensions::http_filters::admission_control {

struct Rules {
  bool enabled = true;
  std::vector<std::pair<uint16_t, uint16_t>> http_success;  // from the first up to but not including the second
  uint32_t grpc_success = 0;                                // a bit for each status from 0 to 16
  std::chrono::seconds window{30};                          // at least 1
  double aggression = 1;                                    // at least 1
  double threshold = 0.95;                                  // of the rate of success, more than 0
  double min_rate = 0;                                      // requests a second
  double max_probability = 0.8;

  bool isSuccess(uint16_t http_status) const;
  // Negative: none.
  bool isGrpcSuccess(int status) const;
  // The chance of a refusal, from 0 to 1.
  double probability(const Window::Counts& counts) const;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Rules rules;
  std::shared_ptr<const worker::WorkerLocal<Window>> windows;  // never null
  observability::Counter rejected, success, failure;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  void record(bool success, filter::Context& context);

  const Settings& settings_;
  bool open_ = false;  // the outcome is still to be recorded
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::admission_control
