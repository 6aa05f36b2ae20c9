#include "source/extensions/filters/http/on_demand/filter.h"

#include <utility>

#include "source/worker/services.h"

namespace sluice::extensions::http_filters::on_demand {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  if (context.route() || !context.awaitRoutes(*this)) return filter::Next{};
  context_ = &context;
  in_front_ = context.routeConfigsInFront();
  token_ = context.resumeToken();
  timer_.emplace(context.worker().loop.timers(), [this] { onTimeout(); });
  timer_->arm(kTimeout);
  return filter::Pause{};
}

void Filter::onRoutes() {
  const bool chosen = token_ && context_->rematchRoute();
  // The table of its scope may have its host on demand.
  if (chosen && !context_->route() && !std::exchange(waits_again_, true) && context_->awaitRoutes(*this)) return;
  timer_->cancel();
  if (!chosen) return;
  if (context_->routeConfigsInFront() == in_front_) return token_.resume();
  // They let the request pass without knowing this. The next one finds its route at once.
  token_.reply({503, "the filters in front of on_demand have settings in routes that have just come; try again\n",
                "on_demand_not_in_front"});
}

// The request goes on as if nothing were on demand.
void Filter::onTimeout() {
  unlink();
  if (token_) token_.resume();
}

}  // namespace sluice::extensions::http_filters::on_demand
