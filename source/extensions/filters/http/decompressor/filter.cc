#include "source/extensions/filters/http/decompressor/filter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/compression/content_encoding.h"
#include "source/http/rules.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::decompressor {
namespace {

using compression::Decompressor;
using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;

constexpr uint16_t kBadRequest = 400;
constexpr uint16_t kBadGateway = 502;

// The coding that was put on last, which is the one that comes off first, stands last.
std::string_view lastElement(std::string_view list) {
  const size_t comma = list.rfind(',');
  return http::withoutSpaces(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

}  // namespace

void Filter::advertise(http::RequestHeaders& headers) const {
  // A part of a compressed body cannot be read.
  if (headers.get("range")) return;
  const std::string_view coding = settings_.library->library().encoding();
  const auto accept = headers.getAll("accept-encoding");
  if (!accept) return headers.addView(Name::kAcceptEncoding, coding);
  std::string list;
  bool accepted = false;
  http::forEachElement(*accept, [&](std::string_view element) {
    const auto parsed = compression::parseAccepted(element);
    const bool same = parsed && compression::sameCoding(parsed->coding, coding);
    accepted |= same && parsed->weight > 0;
    // What the client does not want does not reach it.
    if (same && parsed->weight == 0) return;
    if (!list.empty()) list += ',';
    list += element;
  });
  if (accepted) return;
  if (!list.empty()) list += ',';
  list += coding;
  headers.set(Name::kAcceptEncoding, list);
}

bool Filter::begin(Body& body, http::HeaderList& headers, const Direction& direction, filter::Context& context) {
  const auto codings = headers.getAll("content-encoding");
  const bool ours = direction.enabled && codings &&
                    compression::sameCoding(lastElement(*codings), settings_.library->library().encoding()) &&
                    !headers.get("content-range") &&
                    (direction.ignore_no_transform || !compression::forbidsTransform(headers));
  if (!ours) {
    context.count(direction.not_decompressed);
    return false;
  }
  const size_t comma = codings->rfind(',');
  const std::string_view left = comma == std::string_view::npos ? std::string_view() : codings->substr(0, comma);
  if (http::withoutSpaces(left).empty()) {
    headers.remove(Name::kContentEncoding);
  } else {
    headers.set(Name::kContentEncoding, http::withoutSpaces(left));
  }
  headers.remove(Name::kContentLength);
  compression::forgetBytes(headers);
  body.decompressor = settings_.library->take(context.worker());
  context.count(direction.decompressed);
  return true;
}

bool Filter::decompress(Body& body, const Direction& direction, filter::Chunk& chunk, filter::Context& context) {
  std::string out;
  const size_t size = chunk.bytes().size();
  const Decompressor::Result result = body.decompressor->decompress(chunk.bytes(), out);
  body.compressed += size;
  body.uncompressed += out.size();
  context.count(direction.compressed_bytes, size);
  context.count(direction.uncompressed_bytes, out.size());
  if (result != Decompressor::Result::kOk) {
    context.count(settings_.errors[body.decompressor->error()]);
    details_ = result == Decompressor::Result::kTooLarge ? "decompressor_inflate_ratio" : "decompressor_invalid_body";
    return false;
  }
  if (chunk.endStream() && !complete(body)) return false;
  chunk.replace(std::move(out));
  return true;
}

bool Filter::complete(const Body& body) {
  if (body.decompressor->complete()) return true;
  details_ = "decompressor_truncated_body";
  return false;
}

void Filter::tell(Body& body, http::Trailers& trailers) const {
  trailers.add(settings_.compressed_trailer, absl::StrCat(body.compressed));
  trailers.add(settings_.uncompressed_trailer, absl::StrCat(body.uncompressed));
  body.decompressor.release();
}

Reply Filter::refusal(uint16_t status) const {
  const std::string_view coding = settings_.library->library().encoding();
  return Reply{status,
               absl::StrCat("the body cannot be decoded as ", absl::string_view(coding.data(), coding.size()), "\n"),
               details_};
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (settings_.response.enabled && settings_.advertise) advertise(headers);
  if (!context.requestHeadersOnly() && !headers.wantsTunnel()) begin(request_, headers, settings_.request, context);
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  if (!request_.decompressor) return Next{};
  if (!decompress(request_, settings_.request, chunk, context)) return refusal(kBadRequest);
  if (chunk.endStream()) tell(request_, context.addRequestTrailers());
  return Next{};
}

HookResult Filter::onRequestTrailers(http::Trailers& trailers, filter::Context&) {
  if (!request_.decompressor) return Next{};
  if (!complete(request_)) return refusal(kBadRequest);
  tell(request_, trailers);
  return Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (context.responseHeadersOnly() || context.request().wantsTunnel()) return Next{};
  // A strong etag names the bytes as they were.
  if (begin(response_, headers, settings_.response, context)) compression::weakenEtag(headers);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (!response_.decompressor) return Next{};
  if (!decompress(response_, settings_.response, chunk, context)) return refusal(kBadGateway);
  if (chunk.endStream()) tell(response_, context.addResponseTrailers());
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context&) {
  if (!response_.decompressor) return Next{};
  if (!complete(response_)) return refusal(kBadGateway);
  tell(response_, trailers);
  return Next{};
}

}  // namespace sluice::extensions::http_filters::decompressor
