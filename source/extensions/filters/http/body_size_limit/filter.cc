#include "source/extensions/filters/http/body_size_limit/filter.h"

#include "source/filter/context.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::body_size_limit {

filter::Reply Filter::refusal(filter::Context& context) const {
  context.count(settings_.too_large);
  return {413, "Payload Too Large", "request_payload_too_large"};
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  max_ = context.settingsOr(settings_.max_request_bytes);
  // What follows an upgrade or CONNECT is a tunnel, and no body.
  if (headers.wantsTunnel()) max_.reset();
  if (max_ && http::lengthOf(headers).value_or(0) > *max_) return refusal(context);
  return filter::Next{};
}

filter::HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  size_ += chunk.bytes().size();
  if (max_ && size_ > *max_) return refusal(context);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::body_size_limit
