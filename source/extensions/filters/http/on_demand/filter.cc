#include "source/extensions/filters/http/on_demand/filter.h"

#include "source/worker/services.h"

namespace sluice::extensions::http_filters::on_demand {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  if (context.route() || !context.awaitRoutes(*this)) return filter::Next{};
  context_ = &context;
  token_ = context.resumeToken();
  timer_.emplace(context.worker().loop.timers(), [this] { onTimeout(); });
  timer_->arm(kTimeout);
  return filter::Pause{};
}

void Filter::onRoutes() {
  timer_->cancel();
  if (!token_) return;
  if (context_->rematchRoute()) token_.resume();
}

// The request goes on as if nothing were on demand.
void Filter::onTimeout() {
  unlink();
  if (token_) token_.resume();
}

}  // namespace sluice::extensions::http_filters::on_demand
