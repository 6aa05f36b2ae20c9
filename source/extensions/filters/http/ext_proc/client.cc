#include "source/extensions/filters/http/ext_proc/client.h"

#include <algorithm>

#include "envoy/service/ext_proc/v3/external_processor.pb.h"
#include "source/base/duration.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::ext_proc {
namespace {

namespace v3 = envoy::service::ext_proc::v3;
using ModeProto = envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
using envoy::config::core::v3::HeaderMap;
using http::Field;

void add(HeaderMap& out, std::string_view name, std::string_view value, const ForwardRules& rules) {
  if (!rules.allows(name)) return;
  auto& header = *out.add_headers();
  header.set_key(std::string(name));
  header.set_raw_value(std::string(value));
}

void addFields(HeaderMap& out, const http::HeaderList& headers, const ForwardRules& rules) {
  for (const Field& field : headers) add(out, field.name, field.value, rules);
}

void readChanges(const v3::HeaderMutation& mutation, filter::HeaderChanges& out) {
  out.read(mutation.set_headers());
  out.remove.assign(mutation.remove_headers().begin(), mutation.remove_headers().end());
}

void readCommon(const v3::CommonResponse& common, Answer& out) {
  out.replaces_message = common.status() == v3::CommonResponse::CONTINUE_AND_REPLACE;
  readChanges(common.header_mutation(), out.headers);
  if (common.body_mutation().mutation_case() == v3::BodyMutation::kBody) out.body = common.body_mutation().body();
  if (common.body_mutation().clear_body()) out.body.emplace();
}

void readImmediate(const v3::ImmediateResponse& immediate, Answer& out) {
  out.kind = Answer::Kind::kImmediate;
  const int status = immediate.status().code();
  out.status = static_cast<uint16_t>(status >= 200 && status <= 599 ? status : 500);
  readChanges(immediate.headers(), out.headers);
  out.body = immediate.body();
  if (immediate.has_grpc_status()) out.grpc_status = static_cast<int>(immediate.grpc_status().status());
  out.details = immediate.details();
}

std::optional<BodyMode> bodyMode(ModeProto::BodySendMode mode) {
  switch (mode) {
    case ModeProto::NONE:
      return BodyMode::kNone;
    case ModeProto::STREAMED:
      return BodyMode::kStreamed;
    case ModeProto::BUFFERED:
      return BodyMode::kBuffered;
    case ModeProto::BUFFERED_PARTIAL:
      return BodyMode::kBufferedPartial;
    default:
      return std::nullopt;
  }
}

std::optional<Mode> readMode(const ModeProto& proto) {
  const auto request_body = bodyMode(proto.request_body_mode());
  const auto response_body = bodyMode(proto.response_body_mode());
  if (!request_body || !response_body) return std::nullopt;
  return Mode{proto.request_header_mode() != ModeProto::SKIP,
              proto.response_header_mode() != ModeProto::SKIP,
              *request_body,
              *response_body,
              proto.request_trailer_mode() == ModeProto::SEND,
              proto.response_trailer_mode() == ModeProto::SEND};
}

std::string finish(v3::ProcessingRequest& out, const MessageContext& context) {
  for (const std::string& name : context.namespaces) {
    const stream::MetadataValue* value =
        context.info.dynamic_metadata == nullptr ? nullptr : context.info.dynamic_metadata->find(name);
    const auto* fields = value == nullptr ? nullptr : std::get_if<stream::MetadataFields>(&value->value);
    if (fields == nullptr) continue;
    filter::writeStruct(*fields, (*out.mutable_metadata_context()->mutable_filter_metadata())[name]);
  }
  if (!context.attributes.empty()) {
    filter::writeStruct(context.attributes, (*out.mutable_attributes())["envoy.filters.http.ext_proc"]);
  }
  return out.SerializeAsString();
}

}  // namespace

std::string encodeHeaders(const http::RequestHeaders& headers, const MessageContext& context, bool end_stream) {
  v3::ProcessingRequest out;
  auto& message = *out.mutable_request_headers();
  message.set_end_of_stream(end_stream);
  HeaderMap& map = *message.mutable_headers();
  for (const std::string_view name : {":method", ":scheme", ":authority", ":path"}) {
    if (const auto value = headers.lookup(name)) add(map, name, *value, context.headers);  // CONNECT has no path
  }
  addFields(map, headers, context.headers);
  return finish(out, context);
}

std::string encodeHeaders(const http::ResponseHeaders& headers, const MessageContext& context, bool end_stream) {
  v3::ProcessingRequest out;
  auto& message = *out.mutable_response_headers();
  message.set_end_of_stream(end_stream);
  add(*message.mutable_headers(), ":status", std::to_string(headers.status), context.headers);
  addFields(*message.mutable_headers(), headers, context.headers);
  return finish(out, context);
}

std::string encodeBody(bool request, std::string_view body, const MessageContext& context, bool end_stream) {
  v3::ProcessingRequest out;
  v3::HttpBody& message = request ? *out.mutable_request_body() : *out.mutable_response_body();
  message.set_body(std::string(body));
  message.set_end_of_stream(end_stream);
  return finish(out, context);
}

std::string encodeTrailers(bool request, const http::Trailers& trailers, const MessageContext& context) {
  v3::ProcessingRequest out;
  v3::HttpTrailers& message = request ? *out.mutable_request_trailers() : *out.mutable_response_trailers();
  addFields(*message.mutable_trailers(), trailers, context.headers);
  return finish(out, context);
}

std::optional<Answer> decodeAnswer(std::string_view message) {
  v3::ProcessingResponse proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  Answer out;
  out.metadata = filter::readStruct(proto.dynamic_metadata());
  if (proto.has_mode_override()) {
    out.mode = readMode(proto.mode_override());
    if (!out.mode) return std::nullopt;
  }
  const auto is = [&](Answer::Kind kind, Part part) {
    out.kind = kind;
    out.part = part;
  };
  switch (proto.response_case()) {
    case v3::ProcessingResponse::kRequestHeaders:
      is(Answer::Kind::kRequest, Part::kHeaders);
      readCommon(proto.request_headers().response(), out);
      return out;
    case v3::ProcessingResponse::kResponseHeaders:
      is(Answer::Kind::kResponse, Part::kHeaders);
      readCommon(proto.response_headers().response(), out);
      return out;
    case v3::ProcessingResponse::kRequestBody:
      is(Answer::Kind::kRequest, Part::kBody);
      readCommon(proto.request_body().response(), out);
      return out;
    case v3::ProcessingResponse::kResponseBody:
      is(Answer::Kind::kResponse, Part::kBody);
      readCommon(proto.response_body().response(), out);
      return out;
    case v3::ProcessingResponse::kRequestTrailers:
      is(Answer::Kind::kRequest, Part::kTrailers);
      readChanges(proto.request_trailers().header_mutation(), out.headers);
      return out;
    case v3::ProcessingResponse::kResponseTrailers:
      is(Answer::Kind::kResponse, Part::kTrailers);
      readChanges(proto.response_trailers().header_mutation(), out.headers);
      return out;
    case v3::ProcessingResponse::kImmediateResponse:
      readImmediate(proto.immediate_response(), out);
      return out;
    case v3::ProcessingResponse::RESPONSE_NOT_SET:
      break;
  }
  if (!proto.has_override_message_timeout()) return std::nullopt;
  const auto& time = proto.override_message_timeout();
  if (time.seconds() < 0 || time.nanos() < 0) return std::nullopt;
  // Envoy ignores what is less than a millisecond.
  out.more_time = std::chrono::floor<std::chrono::milliseconds>(
      base::nanosecondsOf(std::min<int64_t>(time.seconds(), 3600), time.nanos()));
  return out;
}

}  // namespace sluice::extensions::http_filters::ext_proc
