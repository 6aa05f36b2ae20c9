#include "source/extensions/filters/http/header_mutation/filter.h"

#include <algorithm>

#include "source/filter/context.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::header_mutation {

using filter::HookResult;

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  return change(headers, &Mutations::request, context);
}

HookResult Filter::onRequestTrailers(http::Trailers& trailers, filter::Context& context) {
  return change(trailers, &Mutations::request_trailers, context);
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  return change(headers, &Mutations::response, context);
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  return change(trailers, &Mutations::response_trailers, context);
}

HookResult Filter::change(http::HeaderList& list, const Changes Mutations::*which, filter::Context& context) const {
  const http::ResponseHeaders& response = context.response();
  const stream::FormatContext facts{.request = &context.request(),
                                    .response = response.status == 0 ? nullptr : &response,
                                    .trailers = &context.responseTrailers(),
                                    .info = context.info()};
  const auto apply = [&](const Mutations& mutations) {
    for (const route::HeaderMutations& each : mutations.*which) each.apply(list, facts);
    if (which == &Mutations::request) changeQuery(mutations.query, context.request(), facts);
  };
  const auto applyLevel = [&](const route::PerFilterConfig* level) {
    const auto* settings = route::settingsAs<RouteSettings>(level);
    if (settings != nullptr) apply(settings->value);
  };
  apply(settings_.mutations);
  const route::PerFilterLevels levels = context.routeConfigs();  // the most specific is the last
  if (settings_.most_specific_wins) {
    std::for_each(levels.begin(), levels.end(), applyLevel);
  } else {
    for (auto at = levels.end(); at != levels.begin();) applyLevel(*--at);
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::header_mutation
