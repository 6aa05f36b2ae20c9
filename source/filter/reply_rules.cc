#include "source/filter/reply_rules.h"

#include <algorithm>

#include "source/filter/stream.h"
#include "source/http/grpc.h"

namespace sluice::filter {

using http::Name;

namespace {

// A success that answers CONNECT says that bytes go through from here on: no refusal may become one.
bool opensTunnel(const http::RequestHeaders& request, uint16_t status) {
  return request.method == "CONNECT" && status / 100 == 2;
}

void takeFields(const http::ResponseHeaders& head, Reply& reply) {
  reply.headers.clear();
  for (const http::Field& field : head) reply.headers.emplace_back(field.name, field.value);
}

}  // namespace

void ReplyRules::map(Reply& reply, Stream& stream) const {
  if (reply.stream || reply.as_asked) return;
  stream::StreamInfo& info = stream.info();
  const http::RequestHeaders& request = stream.request();
  // Rules and formats see the answer as it will be logged.
  info.response_code_details = reply.details;
  if (reply.flag) info.response_flags.set(*reply.flag);
  const uint16_t code_sent = std::exchange(info.response_code, reply.status);
  http::ResponseHeaders head(stream.arena());
  head.status = reply.status;
  for (const auto& [name, value] : reply.headers) head.add(name, value);
  stream::FormatContext context{.request = &request, .response = &head, .info = info};

  const auto rule = std::find_if(rules_.begin(), rules_.end(),
                                 [&context](const ReplyRule& each) { return each.filter->admits(context); });
  const stream::BodyFormat* format = format_.get();
  bool has_type_of_rule = false;
  std::string body = reply.body;
  if (rule != rules_.end()) {
    if (rule->body) body = *rule->body;
    context.local_reply_body = body;
    const std::optional<std::string_view> type_before = head.get(Name::kContentType);
    rule->headers.apply(head, context);
    has_type_of_rule = head.get(Name::kContentType) != type_before;
    if (rule->status && !opensTunnel(request, *rule->status)) {
      head.status = info.response_code = reply.status = *rule->status;
    }
    if (rule->format) format = rule->format.get();
  }
  if (format != nullptr) {
    context.local_reply_body = body;
    std::string formatted;
    format->formatter->format(context, formatted);
    // What a line of JSON ends with has no place in a header.
    if (http::grpc::isGrpcRequest(request) && formatted.ends_with('\n')) formatted.pop_back();
    body = std::move(formatted);
  }
  // The type that was there is that of the body that was there.
  if (body != reply.body && !has_type_of_rule) {
    head.set(Name::kContentType, format != nullptr ? std::string_view(format->content_type) : stream::kPlainText);
  }
  reply.body = std::move(body);
  takeFields(head, reply);
  info.response_code = code_sent;
}

}  // namespace sluice::filter
