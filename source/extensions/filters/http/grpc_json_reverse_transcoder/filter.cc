#include "source/extensions/filters/http/grpc_json_reverse_transcoder/filter.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"
#include "source/transcoding/grpc_frames.h"

namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder {
namespace {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;
namespace grpc = http::grpc;

constexpr size_t kMostMessage = 1024;  // bytes of an error's body that clients are told
constexpr std::string_view kJson = "application/json";

// A gRPC client gets it as such.
Reply refusal(std::string message) {
  return Reply{.status = 400,
               .body = std::move(message),
               .details = "grpc_json_reverse_transcode_failure{INVALID_ARGUMENT}",
               .grpc_status = grpc::kInvalidArgument};
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  settings_ = &context.settingsOr(*settings_);
  if (settings_->transcoder == nullptr || !grpc::isGrpcRequest(headers)) return Next{};
  method_ = settings_->transcoder->find(headers.pathOnly());
  if (method_ == nullptr) return Next{};
  content_type_ = *headers.get(Name::kContentType);
  return Collect{settings_->max_request + grpc::kFrameHead};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  transcoding::GrpcFrames frames(settings_->max_request);
  std::vector<std::string> messages;
  const auto result = frames.feed(body.bytes(), messages);
  if (result != transcoding::GrpcFrames::Result::kOk || !frames.complete() || messages.size() != 1) {
    return refusal("the request is not one message that is not compressed");
  }
  auto rest = settings_->transcoder->encode(*method_, messages[0]);
  if (!rest.ok()) return refusal(std::string(rest.status().message()));
  http::RequestHeaders& headers = context.request();
  headers.set(Name::kXEnvoyOriginalPath, headers.path);
  headers.method = context.arena().copy(rest->method);
  headers.path = context.arena().copy(rest->path);
  headers.remove(Name::kTe);
  headers.remove("grpc-encoding");
  headers.remove("grpc-accept-encoding");
  headers.set(Name::kAccept, kJson);
  if (rest->has_body) {
    headers.set(Name::kContentType, kJson);
  } else {
    headers.remove(Name::kContentType);
  }
  sent_ = true;
  body.replace(std::move(rest->body));
  context.rematchRoute();
  return Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!sent_) return Next{};
  headers.remove("trailer");
  return Collect{settings_->max_response};
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  http::ResponseHeaders& headers = context.response();
  std::string frame;
  if (headers.status >= 200 && headers.status < 300) {
    const auto message = settings_->transcoder->decode(*method_, body.bytes());
    if (message.ok()) {
      frame = grpc::framed(*message);
    } else {
      status_ = grpc::kInternal;
      message_ = "the answer is not of its type";
    }
  } else {
    status_ = grpc::statusOfHttp(headers.status);
    message_ = context.arena().copy(grpc::encodeMessage(body.bytes().substr(0, kMostMessage)));
  }
  headers.status = 200;
  headers.reason = {};
  headers.set(Name::kContentType, content_type_);
  body.replace(std::move(frame));
  if (body.endStream()) finish(context.addResponseTrailers(), context);
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (sent_) finish(trailers, context);
  return Next{};
}

void Filter::finish(http::Trailers& trailers, filter::Context& context) const {
  trailers.set(Name::kGrpcStatus, absl::StrCat(status_));
  if (!message_.empty()) trailers.set(Name::kGrpcMessage, message_);
  context.info().grpc_status = status_;
}

}  // namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder
