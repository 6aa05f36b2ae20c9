#include "source/filter/delegating_filter.h"

#include <utility>

#include "source/filter/context.h"

namespace sluice::filter {

void DelegatingFilter::end() {
  if (HttpFilter* const inner = std::exchange(inner_, nullptr)) inner->~HttpFilter();
}

void DelegatingFilter::decide(Context& context) {
  if (std::exchange(decided_, true)) return;
  if (const HttpFilterFactory* const factory = choose(context)) inner_ = factory->create(context.arena());
}

HookResult DelegatingFilter::onRequestHeaders(http::RequestHeaders& headers, Context& context) {
  decide(context);
  return inner_ == nullptr ? withoutFilter() : inner_->onRequestHeaders(headers, context);
}

HookResult DelegatingFilter::onRequestData(Chunk& chunk, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onRequestData(chunk, context);
}

HookResult DelegatingFilter::onRequestBody(Body& body, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onRequestBody(body, context);
}

HookResult DelegatingFilter::onRequestTrailers(http::Trailers& trailers, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onRequestTrailers(trailers, context);
}

HookResult DelegatingFilter::onResponseHeaders(http::ResponseHeaders& headers, Context& context) {
  decide(context);
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onResponseHeaders(headers, context);
}

HookResult DelegatingFilter::onResponseData(Chunk& chunk, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onResponseData(chunk, context);
}

HookResult DelegatingFilter::onResponseBody(Body& body, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onResponseBody(body, context);
}

HookResult DelegatingFilter::onResponseTrailers(http::Trailers& trailers, Context& context) {
  return inner_ == nullptr ? HookResult(Next{}) : inner_->onResponseTrailers(trailers, context);
}

std::optional<Reply> DelegatingFilter::onRouteChanged(const http::RequestHeaders& headers, Context& context) {
  decide(context);  // it is made for this question where the route before had it disabled
  return inner_ == nullptr ? std::nullopt : inner_->onRouteChanged(headers, context);
}

void DelegatingFilter::onStreamEnd(Context& context) {
  if (inner_ != nullptr) inner_->onStreamEnd(context);
}

}  // namespace sluice::filter
