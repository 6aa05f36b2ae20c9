#include "source/filter/discovered_filter.h"

#include <utility>

#include "source/filter/context.h"
#include "source/worker/services.h"

namespace sluice::filter {

const HttpFilterFactory* DiscoveredFilter::choose(Context& context) {
  factory_ = slot_.get(context.worker());
  return factory_.get();
}

HookResult DiscoveredFilter::withoutFilter() {
  Reply reply{500, "", "filter_config_not_found"};
  reply.flag = stream::ResponseFlag::kNoFilterConfigFound;
  return HookResult(std::move(reply));
}

}  // namespace sluice::filter
