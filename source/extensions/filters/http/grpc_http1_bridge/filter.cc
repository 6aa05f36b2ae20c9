#include "source/extensions/filters/http/grpc_http1_bridge/filter.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_http1_bridge {
namespace {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using http::Name;
namespace grpc = http::grpc;

bool isProtobuf(const http::RequestHeaders& headers) {
  const auto type = headers.get(Name::kContentType);
  return type &&
         (base::equalsLowered(*type, "application/x-protobuf") || base::equalsLowered(*type, "application/protobuf"));
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context&) {
  // Clients of HTTP/2 read trailers.
  const bool http1 = headers.protocol == http::Protocol::kHttp10 || headers.protocol == http::Protocol::kHttp11;
  framed_here_ = settings_.upgrade_protobuf && isProtobuf(headers);
  active_ = framed_here_ || (http1 && grpc::isGrpcRequest(headers));
  if (!framed_here_) return Next{};
  content_type_ = *headers.get(Name::kContentType);
  headers.set(Name::kContentType, grpc::kContentType);
  headers.set(Name::kTe, "trailers");
  if (settings_.ignore_query) headers.path = headers.pathOnly();
  return Collect{kMostBytes};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context&) {
  body.replace(grpc::framed(body.bytes()));
  return Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!active_) return Next{};
  const auto type = headers.get(Name::kContentType);
  if (!type || !grpc::isGrpcContentType(*type)) {
    active_ = false;  // of something else than a gRPC server
    return Next{};
  }
  if (framed_here_) headers.set(Name::kContentType, content_type_);
  // Nothing but a head says all that it has to say.
  if (context.responseHeadersOnly()) return Next{};
  return Collect{kMostBytes};
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  http::ResponseHeaders& headers = context.response();
  const http::Trailers& trailers = context.responseTrailers();
  if (const auto status = trailers.get(Name::kGrpcStatus)) {
    context.info().grpc_status = grpc::parseStatus(*status);
    if (context.info().grpc_status != grpc::kOk) {
      headers.status = 503;
      headers.reason = {};
    }
    headers.set(Name::kGrpcStatus, *status);
  }
  if (const auto message = trailers.get(Name::kGrpcMessage)) headers.set(Name::kGrpcMessage, *message);
  if (framed_here_) {
    body.replace(std::string(body.bytes().substr(std::min(grpc::kFrameHead, body.bytes().size()))));
  } else {
    // It tells clients that all has come: the trailers that the chain knows of will not.
    headers.set(Name::kContentLength, absl::StrCat(body.bytes().size()));
  }
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context&) {
  if (active_) trailers.clear();
  return Next{};
}

}  // namespace sluice::extensions::http_filters::grpc_http1_bridge
