#include "source/router/direct_reply.h"

#include <string>

#include "source/stream/format_context.h"

namespace sluice::router {

filter::Reply directReply(const route::DirectResponse& direct, filter::Stream& stream) {
  filter::Reply reply{direct.status, {}, "direct_response"};
  if (!direct.content_type.empty()) reply.headers.emplace_back("content-type", direct.content_type);
  if (direct.body_format == nullptr) {
    reply.body = direct.body;
    return reply;
  }
  http::ResponseHeaders headers(stream.arena());
  headers.status = direct.status;
  // The log's %RESPONSE_CODE% comes later; what the body says of itself is known already.
  stream::StreamInfo& info = stream.info();
  info.response_code = direct.status;
  info.response_code_details = reply.details;
  const stream::FormatContext context{
      .request = &stream.request(), .response = &headers, .info = info, .local_reply_body = direct.body};
  direct.body_format->format(context, reply.body);
  return reply;
}

}  // namespace sluice::router
