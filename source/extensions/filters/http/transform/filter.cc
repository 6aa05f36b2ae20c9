#include "source/extensions/filters/http/transform/filter.h"

#include "source/base/ascii.h"
#include "source/filter/context.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::transform {
namespace {

using filter::HookResult;

bool isJsonType(const http::HeaderList& headers) {
  return base::containsIgnoringCase(headers.get(http::Name::kContentType).value_or(""), "application/json");
}

size_t requestLimit(const filter::Context& context) {
  const route::Route* const route = context.route().route;
  return route != nullptr && route->forward != nullptr ? route->forward->request_buffer_limit.value_or(kMaxBody)
                                                       : kMaxBody;
}

// False: what the format made of the body cannot be merged with it, so nothing has changed.
bool transform(const Transformation& how, stream::BodyValues values, filter::Body& body, http::HeaderList& headers,
               filter::Context& context) {
  const http::ResponseHeaders& response = context.response();
  const stream::FormatContext facts{.request = &context.request(),
                                    .response = response.status == 0 ? nullptr : &response,
                                    .info = context.info(),
                                    .bodies = &values};
  std::optional<std::string> made;
  if (how.body) {
    how.body->format(facts, made.emplace());
    if (how.merges) made = merged(body.bytes(), *made);
    if (!made) return false;
  }
  values.longest = kLongestInHeader;
  for (const route::HeaderMutations& each : how.headers) each.apply(headers, facts);
  if (made) {
    body.replace(*std::move(made));
    if (!how.content_type.empty()) headers.set(http::Name::kContentType, how.content_type);
  }
  return true;
}

bool changesAnything(const Transformation& how) {
  return how.body != nullptr || !how.headers.empty();
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (context.requestHeadersOnly() || !isJsonType(headers)) return filter::Next{};
  rules_ = &context.settingsOr(settings_.rules);
  if (!rules_->request) return filter::Next{};
  return filter::Collect{requestLimit(context)};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  const Transformation& how = *rules_->request;
  auto values = readValues(body.bytes(), how.wanted.request);
  if (!values) return filter::Next{};
  if (rules_->response) {
    for_response_ = readValues(body.bytes(), rules_->response->wanted.request).value_or(Values());
  }
  if (!transform(how, {.request = *std::move(values)}, body, context.request(), context)) return filter::Next{};
  if (changesAnything(how)) context.count(settings_.requests);
  if (rules_->rematches && !how.headers.empty()) context.rematchRoute();
  return filter::Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  const bool made_here = context.info().response_code_details != "via_upstream";
  if (made_here || context.responseHeadersOnly() || !isJsonType(headers)) return filter::Next{};
  if (rules_ == nullptr) rules_ = &context.settingsOr(settings_.rules);
  if (!rules_->response) return filter::Next{};
  return filter::Collect{kMaxBody};
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  const Transformation& how = *rules_->response;
  auto values = readValues(body.bytes(), how.wanted.response);
  if (!values) return filter::Next{};
  stream::BodyValues both{.request = std::move(for_response_), .response = *std::move(values)};
  if (!transform(how, std::move(both), body, context.response(), context)) return filter::Next{};
  if (changesAnything(how)) context.count(settings_.responses);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::transform
