#include "source/extensions/filters/http/connect_grpc_bridge/filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/base/percent.h"
#include "source/extensions/filters/http/connect_grpc_bridge/connect_error.h"
#include "source/http/chars.h"
#include "source/http/grpc.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {
namespace {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;
namespace grpc = http::grpc;

constexpr std::string_view kUnaryType = "application/";
constexpr std::string_view kStreamType = "application/connect+";
constexpr uint8_t kCompressed = 1;
constexpr uint8_t kEndOfStream = 2;

// Gives a field another name; "identity" is left out.
void rename(http::HeaderList& headers, std::string_view from, std::string_view to) {
  const auto value = headers.get(from);
  if (!value) return;
  const std::string_view kept = *value;  // of the arena
  headers.remove(from);
  if (kept != "identity") headers.addView(to, kept);
}

int statusOf(const http::HeaderList& fields) {
  const auto status = fields.get(Name::kGrpcStatus);
  return status ? grpc::parseStatus(*status) : -1;
}

// A word that may stand in a field: what is decoded from a query may be anything.
bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return http::tokenLower(c) != 0; });
}

// The body of a unary answer is one message and nothing else.
bool isOneMessage(std::string_view body) {
  return body.size() >= grpc::kFrameHead &&
         body.size() - grpc::kFrameHead == static_cast<size_t>(grpc::messageLength(body));
}

// An answer whose status nobody tells is one of unknown status.
int knownStatus(int status) {
  return status < 0 ? grpc::kUnknown : status;
}

}  // namespace

bool Filter::takeQuery(http::RequestHeaders& headers) {
  std::string_view query = http::queryOf(headers.path).value_or("");
  bool is_connect = false, base64 = false;
  std::string message, codec, compression;
  bool has_message = false;
  while (!query.empty()) {
    const http::QueryParameter parameter = http::takeParameter(query);
    const std::string_view name = parameter.name;
    std::string value = base::percentDecoded(parameter.value);
    if (name == "connect") is_connect = value == "v1";
    if (name == "base64") base64 = value == "1";
    if (name == "encoding") codec = std::move(value);
    if (name == "compression") compression = std::move(value);
    if (name == "message") {
      has_message = true;
      message = std::move(value);
    }
  }
  if (!is_connect || !has_message || !isToken(codec) || !(compression.empty() || isToken(compression))) return false;
  if (base64) {
    std::string bytes;
    if (!absl::WebSafeBase64Unescape(message, &bytes)) return false;
    message = std::move(bytes);
  }
  headers.path = headers.pathOnly();
  headers.method = "POST";
  codec_ = headers.arena().copy(codec);
  if (!compression.empty()) headers.set(Name::kContentEncoding, compression);
  message_ = std::move(message);
  return true;
}

void Filter::begin(http::RequestHeaders& headers, filter::Context& context, Kind kind, std::string_view codec) {
  kind_ = kind;
  codec_ = codec;
  const bool unary = kind == Kind::kUnary;
  headers.set(Name::kContentType, context.arena().concat("application/grpc+", codec));
  headers.set(Name::kTe, "trailers");
  headers.remove("connect-protocol-version");
  rename(headers, unary ? "content-encoding" : "connect-content-encoding", "grpc-encoding");
  rename(headers, unary ? "accept-encoding" : "connect-accept-encoding", "grpc-accept-encoding");
  compressed_ = unary && headers.get("grpc-encoding");
  if (const auto timeout = headers.get("connect-timeout-ms")) {
    uint64_t milliseconds = 0;
    // Ten digits at most, as the protocol has it.
    if (timeout->size() <= 10 && absl::SimpleAtoi(absl::string_view(timeout->data(), timeout->size()), &milliseconds)) {
      headers.set(Name::kGrpcTimeout, grpc::formatTimeout(std::chrono::milliseconds(milliseconds)));
    }
    headers.remove("connect-timeout-ms");
  }
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (headers.wantsTunnel()) return Next{};
  if (headers.method == "GET") {
    if (!takeQuery(headers)) return Next{};
    begin(headers, context, Kind::kUnary, codec_);
    context.rematchRoute();
    return Collect{kMostBytes};
  }
  std::string_view type = headers.get(Name::kContentType).value_or("");
  type = type.substr(0, type.find(';'));  // a charset means nothing here
  if (headers.method != "POST" || grpc::isGrpcRequest(headers)) return Next{};
  if (type.starts_with(kStreamType)) {
    begin(headers, context, Kind::kStream, type.substr(kStreamType.size()));
    return Next{};
  }
  if (headers.get("connect-protocol-version") != "1" || !type.starts_with(kUnaryType)) return Next{};
  begin(headers, context, Kind::kUnary, type.substr(kUnaryType.size()));
  return Collect{kMostBytes};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context&) {
  body.replace(grpc::framed(message_ ? *message_ : body.bytes(), compressed_ ? kCompressed : 0));
  return Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (kind_ == Kind::kOther) return Next{};
  const auto type = headers.get(Name::kContentType);
  if (headers.status != 200 || !type || !grpc::isGrpcContentType(*type)) {
    kind_ = Kind::kOther;  // of something else than a gRPC server
    return Next{};
  }
  if (kind_ == Kind::kUnary) return Collect{kMostBytes};
  headers.set(Name::kContentType, context.arena().concat(kStreamType, codec_));
  headers.remove(Name::kContentLength);
  rename(headers, "grpc-encoding", "connect-content-encoding");
  rename(headers, "grpc-accept-encoding", "connect-accept-encoding");
  if (context.responseHeadersOnly()) return Collect{0};
  return Next{};
}

void Filter::finishUnary(filter::Body& body, http::ResponseHeaders& headers, http::Trailers& trailers) {
  const std::string_view frame = body.bytes();
  const bool whole = isOneMessage(frame);
  const bool compressed = whole && (frame[0] & kCompressed) != 0;
  rename(headers, "grpc-encoding", "content-encoding");
  if (!compressed) headers.remove(Name::kContentEncoding);
  rename(headers, "grpc-accept-encoding", "accept-encoding");
  for (const http::Field& field : trailers) {
    if (!isGrpcField(field)) headers.addView(headers.arena().concat("trailer-", field.name), field.value);
  }
  headers.removeIf(isGrpcField);
  trailers.clear();
  headers.set(Name::kContentType, headers.arena().concat(kUnaryType, codec_));
  body.replace(whole ? std::string(frame.substr(grpc::kFrameHead)) : std::string());
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  http::ResponseHeaders& headers = context.response();
  http::Trailers& trailers = context.responseTrailers();
  // Nothing but a head has its status there.
  const http::HeaderList& said = statusOf(trailers) < 0 ? static_cast<http::HeaderList&>(headers) : trailers;
  int status = knownStatus(statusOf(said));
  std::string message = grpc::decodeMessage(said.get("grpc-message").value_or(""));
  // Without its frame a broken answer would look like an empty message.
  if (kind_ == Kind::kUnary && status == grpc::kOk && !isOneMessage(body.bytes())) {
    status = grpc::kInternal;
    message = "the answer is not one message";
  }
  context.info().grpc_status = status;
  if (kind_ == Kind::kStream) {
    std::string end = grpc::framed(endOfStreamJson(status, said, &said == &trailers), kEndOfStream);
    headers.removeIf(isGrpcField);
    body.replace(std::move(end));
    return Next{};
  }
  std::string error;
  if (status != grpc::kOk) {
    error = errorJson(status, message, said.get("grpc-status-details-bin").value_or(""));
  }
  finishUnary(body, headers, trailers);
  if (status == grpc::kOk) return Next{};
  headers.status = grpc::httpOfStatus(status);
  headers.reason = {};
  headers.remove(Name::kContentEncoding);
  headers.set(Name::kContentType, "application/json");
  body.replace(std::move(error));
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (kind_ != Kind::kStream || !chunk.endStream()) return Next{};
  // Without trailers nobody has told how it went.
  context.info().grpc_status = grpc::kUnknown;
  chunk.replace(std::string(chunk.bytes()) +
                grpc::framed(endOfStreamJson(grpc::kUnknown, context.responseTrailers(), false), kEndOfStream));
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (kind_ != Kind::kStream) return Next{};
  const int status = knownStatus(statusOf(trailers));
  context.info().grpc_status = status;
  const std::string end = grpc::framed(endOfStreamJson(status, trailers, true), kEndOfStream);
  trailers.clear();
  context.emitResponseData(end);
  return Next{};
}

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
