#include "source/extensions/filters/http/compressor/filter.h"

#include <memory>
#include <utility>

#include "source/compression/content_encoding.h"
#include "source/extensions/filters/http/compressor/negotiation.h"
#include "source/http/rules.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::compressor {
namespace {

using compression::Flush;
using filter::HookResult;
using filter::Next;
using http::Name;

constexpr std::string_view kStatusHeader = "x-envoy-compression-status";

// A body that is compressed already, a part of a body, or one that is to stay as it is.
bool mustStay(const http::HeaderList& headers) {
  return headers.has(Name::kContentEncoding) || headers.get("content-range") || compression::forbidsTransform(headers);
}

// Whether it is known to be smaller than that.
bool isSmaller(const http::HeaderList& headers, uint64_t than) {
  const std::optional<uint64_t> length = http::lengthOf(headers);
  return length && *length < than;
}

}  // namespace

void Filter::begin(Body& body, http::HeaderList& headers, const Direction& direction, filter::Context& context) {
  // A body of known length comes at once as a rule; compressing all of it together makes it smaller.
  body.flush = !headers.has(Name::kContentLength);
  headers.remove(Name::kContentLength);
  compression::forgetBytes(headers);
  headers.addView(Name::kContentEncoding, library_->library().encoding());
  body.compressor = library_->take(context.worker());
  context.count(direction.compressed);
}

void Filter::compress(Body& body, const Direction& direction, filter::Chunk& chunk, filter::Context& context) {
  std::string out;
  const std::string_view bytes = chunk.bytes();
  if (chunk.endStream()) {
    body.compressor->compress(bytes, Flush::kEnd, out);
  } else if (!bytes.empty()) {
    body.compressor->compress(bytes, body.flush ? Flush::kSync : Flush::kNone, out);
  }
  context.count(direction.uncompressed_bytes, bytes.size());
  context.count(direction.compressed_bytes, out.size());
  if (chunk.endStream()) body.compressor.release();
  chunk.replace(std::move(out));
}

std::string Filter::finish(Body& body, const Direction& direction, filter::Context& context) {
  std::string out;
  body.compressor->compress({}, Flush::kEnd, out);
  body.compressor.release();
  context.count(direction.compressed_bytes, out.size());
  return out;
}

void Filter::prepareResponse(http::RequestHeaders& headers, const RouteSettings* route, filter::Context& context) {
  response_enabled_ = settings_.response.enabled;
  if (route != nullptr && route->response_enabled) response_enabled_ = *route->response_enabled;
  if (!response_enabled_) return;
  if (const auto accept = headers.getAll("accept-encoding")) {
    accept_encoding_ = *accept;
    accept_encoding_given_ = true;
    stream::FilterState& state = context.info().filterState();
    auto* negotiations = state.get<Negotiations>(Negotiations::kName);
    if (negotiations == nullptr) {
      auto made = std::make_unique<Negotiations>();
      negotiations = made.get();
      state.set(Negotiations::kName, std::move(made));
    }
    negotiations->of(context.request())
        .add({library_->library().encoding(), &settings_.response, settings_.choose_first});
  }
  const bool remove = route != nullptr && route->remove_accept_encoding ? *route->remove_accept_encoding
                                                                        : settings_.remove_accept_encoding;
  if (remove) headers.remove(Name::kAcceptEncoding);
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const auto* route = context.routeConfigAs<RouteSettings>();
  library_ = route != nullptr && route->library != nullptr ? route->library.get() : settings_.library.get();
  prepareResponse(headers, route, context);
  const Direction& direction = settings_.request;
  bool compressed = direction.enabled && !context.requestHeadersOnly() && !headers.wantsTunnel();
  if (compressed && isSmaller(headers, direction.min_length)) {
    context.count(direction.too_small);
    compressed = false;
  }
  if (compressed && direction.takesType(headers) && !mustStay(headers)) {
    begin(request_, headers, direction, context);
  } else {
    context.count(direction.not_compressed);
  }
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  if (request_.compressor) compress(request_, settings_.request, chunk, context);
  return Next{};
}

HookResult Filter::onRequestTrailers(http::Trailers&, filter::Context& context) {
  if (request_.compressor) context.emitRequestData(finish(request_, settings_.request, context));
  return Next{};
}

void Filter::tell(http::ResponseHeaders& headers, std::string_view status, std::string_view parameter) const {
  if (!settings_.status_header) return;
  const std::string_view coding = library_->library().encoding();
  headers.append(kStatusHeader, headers.arena().concat(coding, ";", status, parameter));
}

bool Filter::largeEnough(http::ResponseHeaders& headers, filter::Context& context) {
  if (!isSmaller(headers, settings_.response.min_length)) return true;
  context.count(settings_.response.too_small);
  tell(headers, "ContentLengthTooSmall");
  return false;
}

bool Filter::compressible(http::ResponseHeaders& headers, filter::Context& context) {
  if (!settings_.response.takesType(headers)) {
    tell(headers, "ContentTypeNotAllowed");
    return false;
  }
  if (mustStay(headers) || headers.status == 206 || context.request().wantsTunnel()) return false;
  if (settings_.disable_on_etag && !settings_.weaken_etag && headers.has(Name::kEtag)) {
    context.count(settings_.response_stats.not_compressed_etag);
    tell(headers, "EtagNotAllowed");
    return false;
  }
  if (headers.status < settings_.uncompressible.size() && settings_.uncompressible[headers.status]) {
    tell(headers, "StatusCodeNotAllowed");
    return false;
  }
  return true;
}

bool Filter::chosen(const http::ResponseHeaders& headers, filter::Context& context) {
  const ResponseStats& stats = settings_.response_stats;
  if (!accept_encoding_given_) {
    context.count(stats.no_accept_header);
    return false;
  }
  auto* negotiations = context.info().filterState().get<Negotiations>(Negotiations::kName);
  Negotiation* negotiation = negotiations == nullptr ? nullptr : negotiations->find(context.request());
  if (negotiation == nullptr) return false;  // somebody has taken the name for something else
  const Choice& choice = negotiation->choose(accept_encoding_, headers);
  const bool own = compression::sameCoding(choice.coding, library_->library().encoding());
  switch (choice.reason) {
    case Choice::Reason::kCoding:
      context.count(own ? stats.header_compressor_used : stats.header_compressor_overshadowed);
      break;
    case Choice::Reason::kIdentity:
      context.count(stats.header_identity);
      break;
    case Choice::Reason::kWildcard:
      context.count(stats.header_wildcard);
      break;
    case Choice::Reason::kNotValid:
      context.count(stats.header_not_valid);
      break;
  }
  return own;
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (library_ == nullptr) return Next{};  // answered before the request came here
  const bool large = response_enabled_ && largeEnough(headers, context);
  // Asked of what another filter has compressed, too, which is counted.
  const bool asked = large && !context.responseHeadersOnly() && chosen(headers, context);
  const bool possible = large && compressible(headers, context);
  if (asked && possible) {
    // A strong etag names the bytes as they were.
    if (settings_.weaken_etag) {
      compression::weakenEtag(headers);
    } else if (compression::hasStrongEtag(headers)) {
      headers.remove(Name::kEtag);
    }
    const auto length = headers.get(Name::kContentLength);
    tell(headers, "Compressed", length ? headers.arena().concat(";OriginalLength=", *length) : std::string_view());
    begin(response_, headers, settings_.response, context);
  } else {
    context.count(settings_.response.not_compressed);
  }
  // Caches have to know, even if this client does not accept it.
  if (possible) compression::varyByEncoding(headers);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (response_.compressor) compress(response_, settings_.response, chunk, context);
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers&, filter::Context& context) {
  if (response_.compressor) context.emitResponseData(finish(response_, settings_.response, context));
  return Next{};
}

void Filter::onStreamEnd(filter::Context& context) {
  if (!accept_encoding_given_) return;
  auto* negotiations = context.info().filterState().get<Negotiations>(Negotiations::kName);
  if (negotiations != nullptr) negotiations->forget(context.request());
}

}  // namespace sluice::extensions::http_filters::compressor
