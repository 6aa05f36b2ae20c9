#include "source/extensions/filters/http/grpc_web/filter.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_web {
namespace {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Field;
using http::Name;
namespace grpc = http::grpc;

constexpr std::string_view kWeb = "application/grpc-web";
constexpr std::string_view kWebText = "application/grpc-web-text";
constexpr uint8_t kTrailersFlag = 0x80;

// What stands behind `type` in a content type: "" or "+proto"; nullopt if it is another type.
std::optional<std::string_view> suffixOf(std::string_view content_type, std::string_view type) {
  const auto absl_view = [](std::string_view text) { return absl::string_view(text.data(), text.size()); };
  if (!absl::StartsWithIgnoreCase(absl_view(content_type), absl_view(type))) return std::nullopt;
  content_type.remove_prefix(type.size());
  content_type = content_type.substr(0, content_type.find(';'));  // a charset means nothing here
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  if (!content_type.empty() && content_type[0] != '+') return std::nullopt;
  return content_type;
}

bool wantsText(const http::RequestHeaders& headers, bool text_request) {
  const auto accept = headers.get(Name::kAccept);
  if (!accept) return text_request;
  if (suffixOf(*accept, kWebText)) return true;
  return text_request && !suffixOf(*accept, kWeb);
}

Reply invalidBase64() {
  return Reply{400, "the body of a grpc-web-text request is not base64", "grpc_base_64_decode_failed"};
}

std::string trailersFrame(const http::Trailers& trailers) {
  std::string block;
  for (const Field& field : trailers) {
    block.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return grpc::framed(block, kTrailersFlag);
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context&) {
  const auto type = headers.get(Name::kContentType);
  if (!type) return Next{};
  std::optional<std::string_view> suffix = suffixOf(*type, kWebText);
  text_request_ = suffix.has_value();
  if (!suffix) suffix = suffixOf(*type, kWeb);
  if (!suffix) return Next{};
  active_ = true;
  text_response_ = wantsText(headers, text_request_);
  headers.set(Name::kContentType, *suffix == "+proto" || suffix->empty()
                                      ? std::string(grpc::kContentType)
                                      : absl::StrCat("application/grpc", std::string(*suffix)));
  headers.set(Name::kTe, "trailers");
  if (text_request_) headers.remove(Name::kContentLength);
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context&) {
  if (!text_request_) return Next{};
  std::string bytes;
  bytes.reserve(chunk.bytes().size() / 4 * 3 + 3);
  if (!decoder_.decode(chunk.bytes(), bytes) || (chunk.endStream() && !decoder_.complete())) return invalidBase64();
  chunk.replace(std::move(bytes));
  return Next{};
}

HookResult Filter::onRequestTrailers(http::Trailers&, filter::Context&) {
  if (text_request_ && !decoder_.complete()) return invalidBase64();
  return Next{};
}

void Filter::translateForeign(http::ResponseHeaders& headers) {
  drop_body_ = true;
  if (!headers.has(Name::kGrpcStatus)) {
    headers.add(Name::kGrpcStatus, absl::StrCat(grpc::statusOfHttp(headers.status)));
    headers.set(Name::kGrpcMessage, absl::StrCat("the upstream answered HTTP ", headers.status, " without gRPC"));
  }
  headers.remove(Name::kContentEncoding);
  headers.status = 200;
  headers.reason = {};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!active_) return Next{};
  // Redirects are for the browser itself.
  if (headers.status >= 300 && headers.status < 400) {
    active_ = false;
    return Next{};
  }
  const auto type = headers.get(Name::kContentType);
  const bool is_grpc = type && grpc::isGrpcContentType(*type);
  std::string_view suffix = is_grpc ? type->substr(grpc::kContentType.size()) : std::string_view();
  if (suffix.empty()) suffix = "+proto";
  const std::string answer = std::string(text_response_ ? kWebText : kWeb).append(suffix);
  if (!is_grpc || headers.status != 200) translateForeign(headers);
  headers.set(Name::kContentType, answer);
  if (!context.responseHeadersOnly()) headers.remove(Name::kContentLength);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context&) {
  if (!active_) return Next{};
  if (drop_body_) {
    chunk.replace({});
  } else if (text_response_) {
    std::string text;
    encoder_.encode(chunk.bytes(), text);
    if (chunk.endStream()) encoder_.finish(text);
    chunk.replace(std::move(text));
  }
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (!active_) return Next{};
  if (const auto status = trailers.get(Name::kGrpcStatus)) context.info().grpc_status = grpc::parseStatus(*status);
  if (!drop_body_) {
    std::string frame = trailersFrame(trailers);
    if (text_response_) {
      std::string text;
      encoder_.finish(text);  // of a body that broke off inside a frame
      FrameEncoder().encode(frame, text);
      frame = std::move(text);
    }
    trailers.clear();
    context.emitResponseData(frame);
    return Next{};
  }
  trailers.clear();
  return Next{};
}

}  // namespace sluice::extensions::http_filters::grpc_web
