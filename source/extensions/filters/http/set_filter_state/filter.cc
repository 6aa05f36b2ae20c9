#include "source/extensions/filters/http/set_filter_state/filter.h"

#include "source/filter/context.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::set_filter_state {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const bool any = settings_.on_request_headers.apply({.request = &headers, .info = context.info()}, context.info());
  if (any && settings_.clear_route_cache) context.rematchRoute();
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::set_filter_state
