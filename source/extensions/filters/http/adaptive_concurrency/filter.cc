#include "source/extensions/filters/http/adaptive_concurrency/filter.h"

#include "source/filter/context.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {

Gauges::Gauges(std::shared_ptr<const Controller> controller, const std::string& prefix, observability::Scope& scope)
    : controller_(std::move(controller)),
      limit_(scope.gauge(prefix + "concurrency_limit")),
      measuring_(scope.gauge(prefix + "min_rtt_calculation_active")),
      gradient_(scope.gauge(prefix + "gradient")),
      headroom_(scope.gauge(prefix + "burst_queue_size")),
      best_(scope.gauge(prefix + "min_rtt_msecs")),
      latency_(scope.gauge(prefix + "sample_rtt_msecs")) {}

void Gauges::show(observability::StatsCells& cells) {
  const Controller::Shown& shown = controller_->shown();
  cells.set(limit_, controller_->limit());
  cells.set(measuring_, controller_->measuring() ? 1 : 0);
  cells.set(gradient_, shown.gradient.load(std::memory_order_relaxed));
  cells.set(headroom_, shown.headroom.load(std::memory_order_relaxed));
  cells.set(best_, shown.best_us.load(std::memory_order_relaxed) / 1000);
  cells.set(latency_, shown.latency_us.load(std::memory_order_relaxed) / 1000);
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  if (!settings_.enabled || context.info().health_check) return filter::Next{};
  if (!settings_.controller->admit(context.now())) {
    context.count(settings_.blocked);
    return filter::Reply{settings_.status, "reached concurrency limit", "reached_concurrency_limit"};
  }
  running_ = true;
  start_ = context.now();
  return filter::Next{};
}

filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders&, filter::Context& context) {
  if (context.responseHeadersOnly()) complete(context);
  return filter::Next{};
}

filter::HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (chunk.endStream()) complete(context);
  return filter::Next{};
}

filter::HookResult Filter::onResponseTrailers(http::Trailers&, filter::Context& context) {
  complete(context);
  return filter::Next{};
}

void Filter::onStreamEnd(filter::Context&) {
  if (running_) settings_.controller->cancel();
}

// How long a tunnel is open says nothing of latency.
void Filter::complete(filter::Context& context) {
  if (!running_ || context.request().wantsTunnel()) return;
  running_ = false;
  settings_.controller->complete(start_, context.now(), context.random());
}

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
