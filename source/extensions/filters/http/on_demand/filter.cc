#include "source/extensions/filters/http/on_demand/filter.h"

#include <utility>

#include "source/upstream/worker_cluster.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::on_demand {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  context_ = &context;
  if (context.route()) {
    if (!awaitCluster()) return filter::Next{};
  } else {
    if (!context.awaitRoutes(*this)) return filter::Next{};
    in_front_ = context.routeConfigsInFront();
    wait(kTimeout);
  }
  token_ = context.resumeToken();
  return filter::Pause{};
}

// False: it is there, or it cannot be had.
bool Filter::awaitCluster() {
  const Settings& settings = context_->settingsOr(settings_);
  if (settings.clusters == nullptr) return false;
  const std::string_view name = context_->cluster();
  const auto* const clusters = context_->worker().find<upstream::ClusterSet>();
  if (name.empty() || clusters == nullptr || clusters->has(name)) return false;
  if (!context_->awaitCluster(settings.clusters, *this)) return false;
  has_route_ = true;
  wait(settings.cluster_timeout);
  return true;
}

void Filter::wait(std::chrono::milliseconds time) {
  if (!timer_) timer_.emplace(context_->worker().loop.timers(), [this] { onTimeout(); });
  timer_->arm(time);
}

void Filter::onRoutes() {
  const bool chosen = token_ && (has_route_ || context_->rematchRoute());
  // The table of its scope may have its host on demand.
  if (chosen && !context_->route() && !std::exchange(waits_again_, true) && context_->awaitRoutes(*this)) return;
  timer_->cancel();
  if (!chosen) return;
  if (has_route_) return token_.resume();
  if (context_->routeConfigsInFront() != in_front_) {
    // They let the request pass without knowing this. The next one finds its route at once.
    return token_.reply({503,
                         "the filters in front of on_demand have settings in routes that have just come; try again\n",
                         "on_demand_not_in_front"});
  }
  if (!context_->route() || !awaitCluster()) token_.resume();
}

// The request goes on as if nothing were on demand.
void Filter::onTimeout() {
  unlink();
  if (token_) token_.resume();
}

}  // namespace sluice::extensions::http_filters::on_demand
