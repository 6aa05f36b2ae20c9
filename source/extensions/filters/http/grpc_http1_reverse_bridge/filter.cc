#include "source/extensions/filters/http/grpc_http1_reverse_bridge/filter.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {
namespace {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;
namespace grpc = http::grpc;

// A gRPC client gets it as such.
Reply refusal(std::string message, std::string_view details) {
  return Reply{.status = 200, .body = std::move(message), .details = details, .grpc_status = grpc::kUnknown};
}

Reply tooShort() {
  return refusal("the request is too short to be a message of gRPC", "grpc_bridge_data_too_small");
}
Reply wrongSize() {
  return refusal("the answer is not as large as the upstream said", "grpc_bridge_data_too_small");
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (!grpc::isGrpcRequest(headers)) return Next{};
  active_ = bridges_answer_ = true;
  content_type_ = *headers.get(Name::kContentType);
  headers.set(Name::kContentType, settings_.content_type);
  headers.set(Name::kAccept, settings_.content_type);
  if (settings_.withhold_frames) {
    const std::optional<uint64_t> length = http::lengthOf(headers);
    headers.remove(Name::kContentLength);
    if (length && *length >= grpc::kFrameHead) {
      headers.add(Name::kContentLength, absl::StrCat(*length - grpc::kFrameHead));
    }
  }
  context.rematchRoute();
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  if (!active_ || !settings_.withhold_frames || frame_head_ == grpc::kFrameHead) return Next{};
  const size_t cut = std::min(grpc::kFrameHead - frame_head_, chunk.bytes().size());
  frame_head_ += cut;
  if (chunk.endStream() && frame_head_ < grpc::kFrameHead) {
    context.request().set(Name::kContentType, content_type_);
    return tooShort();
  }
  chunk.replace(std::string(chunk.bytes().substr(cut)));
  return Next{};
}

HookResult Filter::onRequestTrailers(http::Trailers&, filter::Context& context) {
  if (!active_ || !settings_.withhold_frames || frame_head_ == grpc::kFrameHead) return Next{};
  context.request().set(Name::kContentType, content_type_);
  return tooShort();
}

std::optional<uint64_t> Filter::announcedSize(const http::ResponseHeaders& headers) const {
  const auto field =
      settings_.size_header.empty() ? headers.get(Name::kContentLength) : headers.get(settings_.size_header);
  uint64_t size = 0;
  const bool known = field && http::parseLength(*field, size) && size <= std::numeric_limits<uint32_t>::max();
  return known ? std::optional(size) : std::nullopt;
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!bridges_answer_) return Next{};
  // Whatever is answered from here on goes to a gRPC client.
  context.request().set(Name::kContentType, content_type_);
  const std::string_view type = headers.get(Name::kContentType).value_or("");
  if (grpc::isGrpcContentType(type)) {
    bridges_answer_ = false;  // an answer that was made here
    return Next{};
  }
  if (type != settings_.content_type) {
    bridges_answer_ = false;
    return refusal(
        absl::StrCat("the upstream answered ", headers.status, " with content type \"",
                     absl::string_view(type.data(), type.size()), "\" instead of \"", settings_.content_type, "\""),
        "grpc_bridge_content_type_wrong");
  }
  status_ = headers.status == 200 ? grpc::kOk : grpc::statusOfHttp(headers.status);
  headers.status = 200;
  headers.reason = {};
  headers.set(Name::kContentType, content_type_);
  const std::optional<uint64_t> size = announcedSize(headers);
  headers.remove(Name::kContentLength);
  if (!settings_.withhold_frames) {
    if (context.responseHeadersOnly()) finish(context.addResponseTrailers(), context);
    return Next{};
  }
  if (!size || context.responseHeadersOnly()) return Collect{kMostBytes};
  sized_ = true;
  left_ = *size;
  grpc::appendFrameHead(pending_head_, 0, static_cast<uint32_t>(*size));
  return Next{};
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  body.replace(grpc::framed(body.bytes()));
  if (body.endStream()) finish(context.addResponseTrailers(), context);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  // A body that was collected is whole: what would come here of it has gone.
  if (!bridges_answer_ || (settings_.withhold_frames && !sized_)) return Next{};
  if (sized_) {
    const uint64_t size = chunk.bytes().size();
    // More or less than was told cannot be told any more.
    if (size > left_ || (chunk.endStream() && size < left_)) return wrongSize();
    left_ -= size;
    if (!pending_head_.empty()) chunk.replace(std::exchange(pending_head_, {}).append(chunk.bytes()));
  }
  if (chunk.endStream()) finish(context.addResponseTrailers(), context);
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (!bridges_answer_) return Next{};
  if (sized_ && left_ > 0) return wrongSize();
  if (!pending_head_.empty()) context.emitResponseData(std::exchange(pending_head_, {}));
  finish(trailers, context);
  return Next{};
}

void Filter::finish(http::Trailers& trailers, filter::Context& context) const {
  if (!trailers.has(Name::kGrpcStatus)) trailers.add(Name::kGrpcStatus, absl::StrCat(status_));
  context.info().grpc_status = grpc::parseStatus(*trailers.get(Name::kGrpcStatus));
}

}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
