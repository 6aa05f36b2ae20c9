#include "source/extensions/filters/http/grpc_json_transcoder/filter.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_json_transcoder {
namespace {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;
namespace grpc = http::grpc;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kDetails = "grpc-status-details-bin";

// Of an answer that may be nothing but its head.
int statusOf(const http::ResponseHeaders& headers, const http::Trailers& trailers) {
  if (const auto status = trailers.get(Name::kGrpcStatus)) return grpc::parseStatus(*status);
  if (const auto status = headers.get(Name::kGrpcStatus)) return grpc::parseStatus(*status);
  return -1;
}

std::string_view fieldOf(const http::ResponseHeaders& headers, const http::Trailers& trailers, std::string_view name) {
  if (const auto value = trailers.get(name)) return *value;
  return headers.get(name).value_or("");
}

std::string decodedBase64(std::string_view text) {
  std::string out;
  const absl::string_view padded(text.data(), text.size());
  return absl::Base64Unescape(padded, &out) ? out : std::string();
}

}  // namespace

void Filter::restoreType(http::RequestHeaders& headers) const {
  headers.remove(Name::kContentType);
  if (!content_type_.empty()) headers.addView(Name::kContentType, content_type_);
}

Reply Filter::refusal(const absl::Status& why, bool early, filter::Context& context) const {
  const bool unknown = why.code() == absl::StatusCode::kNotFound;
  const std::string_view details =
      context.arena().concat(early ? "early_grpc_json_transcode_failure{" : "grpc_json_transcode_failure{",
                             unknown ? "NOT_FOUND}" : "INVALID_ARGUMENT}");
  if (!early) restoreType(context.request());
  return Reply{static_cast<uint16_t>(unknown ? 404 : 400), std::string(why.message()), details};
}

Reply Filter::badAnswer(std::string_view why) const {
  return Reply{502, std::string(why), "grpc_json_transcode_failure{INTERNAL}"};
}

std::optional<Reply> Filter::match(const http::RequestHeaders& headers, filter::Context& context) {
  auto call = settings_->transcoder->match(headers.method, headers.path);
  if (call.ok()) {
    call_ = *std::move(call);
    return std::nullopt;
  }
  const bool unknown = call.status().code() == absl::StatusCode::kNotFound;
  if (unknown ? !settings_->reject_unknown_method : !settings_->reject_unknown_parameters) return std::nullopt;
  return refusal(call.status(), true, context);
}

void Filter::rewrite(http::RequestHeaders& headers, filter::Context& context) {
  headers.set(Name::kXEnvoyOriginalPath, headers.path);
  headers.set("x-envoy-original-method", headers.method);
  headers.method = "POST";
  headers.path = context.arena().copy(call_->method->path);
  headers.set(Name::kContentType, grpc::kContentType);
  headers.set(Name::kTe, "trailers");
  headers.remove(Name::kContentLength);
  if (!settings_->keep_route) context.rematchRoute();
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  settings_ = &context.settingsOr(*settings_);
  if (settings_->transcoder == nullptr || headers.wantsTunnel() || grpc::isGrpcRequest(headers)) return Next{};
  if (std::optional<Reply> reply = match(headers, context)) return *std::move(reply);
  if (!call_) return Next{};
  content_type_ = headers.get(Name::kContentType).value_or("");
  streams_response_ = call_->method->server_streaming;
  streams_request_ = call_->method->client_streaming && !context.requestHeadersOnly();
  if (!streams_request_) return Collect{settings_->max_request};
  array_.emplace(settings_->max_request);
  rewrite(headers, context);
  return Next{};
}

absl::StatusOr<std::string> Filter::encode(std::string_view body, bool with_bindings) const {
  auto message = call_->raw_request ? settings_->transcoder->encodeRaw(
                                          *call_, {std::string(content_type_), std::string(body)}, with_bindings)
                                    : settings_->transcoder->encodeRequest(*call_, body, with_bindings);
  if (!message.ok()) return message;
  return grpc::framed(*message);
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  auto frame = encode(body.bytes(), true);
  if (!frame.ok()) return refusal(frame.status(), false, context);
  // Not before: until here the request can be refused in its own terms.
  rewrite(context.request(), context);
  body.replace(*std::move(frame));
  return Next{};
}

absl::Status Filter::encodeStream(std::string_view bytes, bool end, std::string& out) {
  std::vector<std::string> elements;
  if (call_->raw_request) {
    if (!bytes.empty() || !sent_message_) elements.emplace_back(bytes);
  } else {
    using Result = transcoding::JsonArray::Result;
    const Result result = array_->feed(bytes, elements);
    if (result == Result::kTooLarge) return absl::InvalidArgumentError("an element of the body is too large");
    if (result == Result::kInvalid || (end && !array_->complete())) {
      return absl::InvalidArgumentError("the body is not an array of messages in JSON");
    }
  }
  for (const std::string& element : elements) {
    const auto frame = encode(element, !std::exchange(sent_message_, true));
    if (!frame.ok()) return frame.status();
    out += *frame;
  }
  return absl::OkStatus();
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  if (!streams_request_) return Next{};
  std::string out;
  const absl::Status status = encodeStream(chunk.bytes(), chunk.endStream(), out);
  if (!status.ok()) return refusal(status, false, context);
  chunk.replace(std::move(out));
  return Next{};
}

HookResult Filter::onRequestTrailers(http::Trailers&, filter::Context& context) {
  if (!streams_request_ || call_->raw_request || array_->complete()) return Next{};
  return refusal(absl::InvalidArgumentError("the body is not an array of messages in JSON"), false, context);
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!call_) return Next{};
  const auto type = headers.get(Name::kContentType);
  if (headers.status != 200 || !type || !grpc::isGrpcContentType(*type)) {
    streams_response_ = false;  // of something else than a gRPC server; the request may still be on its way
    return Next{};
  }
  restoreType(context.request());
  frames_.emplace(settings_->max_response);
  streams_response_ &= !context.responseHeadersOnly();
  if (!streams_response_) return Collect{settings_->max_response + grpc::kFrameHead};
  headers.remove(Name::kContentLength);
  headers.set(Name::kContentType, streamType());
  return Next{};
}

void Filter::finishUnary(http::ResponseHeaders& headers, int status, filter::Context& context, std::string& body) {
  http::Trailers& trailers = context.responseTrailers();
  const std::string message = grpc::decodeMessage(fieldOf(headers, trailers, "grpc-message"));
  const std::string details = decodedBase64(fieldOf(headers, trailers, kDetails));
  if (status != grpc::kOk) {
    headers.status = grpc::httpOfStatus(status);
    headers.reason = {};
    body = settings_->convert_status ? settings_->transcoder->statusJson(status, message, details) : std::string();
  }
  context.info().grpc_status = status;
  headers.set(Name::kGrpcStatus, absl::StrCat(status));
  headers.remove(Name::kGrpcMessage);
  if (status != grpc::kOk && !settings_->convert_status && !message.empty()) {
    headers.set(Name::kGrpcMessage, grpc::encodeMessage(message));
  }
  headers.remove(kDetails);
  trailers.remove(Name::kGrpcStatus);
  trailers.remove(Name::kGrpcMessage);
  trailers.remove(kDetails);
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  http::ResponseHeaders& headers = context.response();
  int status = statusOf(headers, context.responseTrailers());
  if (status < 0) status = grpc::kUnknown;
  std::vector<std::string> messages;
  const auto result = frames_->feed(body.bytes(), messages);
  std::string json;
  std::string type(kJson);
  if (status == grpc::kOk && call_->method->server_streaming) {
    json = streamEnd();  // nothing but a head: there was no message
    type = std::string(streamType());
  } else if (status == grpc::kOk) {
    if (result != transcoding::GrpcFrames::Result::kOk || !frames_->complete() || messages.size() != 1) {
      return badAnswer("the answer is not one message\n");
    }
    if (call_->raw_response) {
      auto raw = settings_->transcoder->decodeRaw(*call_, messages[0]);
      if (!raw.ok()) return badAnswer("the answer is not of its type\n");
      json = std::move(raw->data);
      type = std::move(raw->content_type);
    } else {
      auto decoded = settings_->transcoder->decodeResponse(*call_, messages[0]);
      if (!decoded.ok()) return badAnswer("the answer is not of its type\n");
      json = *std::move(decoded);
    }
  }
  finishUnary(headers, status, context, json);
  if (json.empty() && status != grpc::kOk) type.clear();
  if (type.empty()) {
    headers.remove(Name::kContentType);
  } else {
    headers.set(Name::kContentType, type);
  }
  body.replace(std::move(json));
  return Next{};
}

void Filter::appendMessage(std::string json, std::string& out) {
  // A message is a line, or what a line of an event has; only white space of JSON has ends of lines.
  if (settings_->stream_style != StreamStyle::kArray) std::erase(json, '\n');
  switch (settings_->stream_style) {
    case StreamStyle::kArray:
      out += received_message_ ? "," : "[";
      out += json;
      break;
    case StreamStyle::kLines:
      out += json;
      out += '\n';
      break;
    case StreamStyle::kEvents:
      out += "data: ";
      out += json;
      out += "\n\n";
      break;
  }
  received_message_ = true;
}

bool Filter::decodeStream(std::string_view bytes, std::string& out) {
  std::vector<std::string> messages;
  const auto result = frames_->feed(bytes, messages);
  for (const std::string& message : messages) {
    if (call_->raw_response) {
      const auto raw = settings_->transcoder->decodeRaw(*call_, message);
      if (!raw.ok()) return false;
      out += raw->data;
      continue;
    }
    auto json = settings_->transcoder->decodeResponse(*call_, message);
    if (!json.ok()) return false;
    appendMessage(*std::move(json), out);
  }
  return result == transcoding::GrpcFrames::Result::kOk;
}

std::string_view Filter::streamType() const {
  return settings_->stream_style == StreamStyle::kEvents ? std::string_view("text/event-stream") : kJson;
}

std::string Filter::streamEnd() {
  if (call_->raw_response || settings_->stream_style != StreamStyle::kArray) return {};
  return received_message_ ? "]" : "[]";
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context&) {
  if (!streams_response_) return Next{};
  std::string out;
  if (!decodeStream(chunk.bytes(), out)) return badAnswer("the answer is not of its type\n");
  if (chunk.endStream()) out += streamEnd();
  chunk.replace(std::move(out));
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (!streams_response_) return Next{};
  if (const auto status = trailers.get(Name::kGrpcStatus)) context.info().grpc_status = grpc::parseStatus(*status);
  if (const std::string end = streamEnd(); !end.empty()) context.emitResponseData(end);
  return Next{};
}

}  // namespace sluice::extensions::http_filters::grpc_json_transcoder
