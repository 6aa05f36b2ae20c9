#include "source/extensions/filters/http/buffer/filter.h"

#include <string>

#include "absl/strings/numbers.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::buffer {

using filter::HookResult;
using http::Name;

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (context.requestHeadersOnly()) return filter::Next{};
  const auto* route = context.routeConfigAs<RouteSettings>();
  const uint32_t limit = (route != nullptr ? route->settings : settings_).max_request_bytes;
  uint64_t length = 0;
  const std::optional<std::string_view> announced = headers.get(Name::kContentLength);
  if (announced && absl::SimpleAtoi(absl::string_view(announced->data(), announced->size()), &length) &&
      length > limit) {
    return filter::Reply{413, "Payload Too Large", "request_payload_too_large"};
  }
  return filter::Collect{limit};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  // In HTTP/1 a message has either a content-length or trailers. A tunnel has neither.
  if (context.request().wantsTunnel()) return filter::Next{};
  if (!context.request().has(Name::kContentLength) && context.requestTrailers().empty()) {
    context.request().add(Name::kContentLength, std::to_string(body.bytes().size()));
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::buffer
