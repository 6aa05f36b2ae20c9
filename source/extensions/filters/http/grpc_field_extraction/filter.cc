#include "source/extensions/filters/http/grpc_field_extraction/filter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "source/filter/context.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_field_extraction {
namespace {

using filter::HookResult;
using filter::Reply;
namespace grpc = http::grpc;

constexpr char kNamespace[] = "envoy.filters.http.grpc_field_extraction";

Reply invalid(std::string_view details, std::string_view why) {
  return {.status = 400, .body = std::string(why), .details = details, .grpc_status = grpc::kInvalidArgument};
}

// "/package.Service/Method"
bool isMethod(std::string_view path) {
  return path.starts_with('/') && std::count(path.begin(), path.end(), '/') == 2;
}

stream::MetadataValue listOf(std::vector<std::string> values) {
  stream::MetadataList list;
  for (std::string& value : values) list.push_back({std::move(value)});
  return {std::move(list)};
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context&) {
  if (!grpc::isGrpcRequest(headers)) return filter::Next{};
  const std::string_view path = headers.pathOnly();
  if (!isMethod(path)) {
    return invalid("grpc_field_extraction_INVALID_ARGUMENT{BAD_REQUEST}",
                   "the path of a gRPC request is \"/package.Service/Method\"");
  }
  const auto found = settings_.methods.find(path);
  if (found == settings_.methods.end()) return filter::Next{};
  extractions_ = &found->second;
  return filter::Collect{grpc::kFrameHead - 1, true};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  const std::string_view bytes = body.bytes();
  if (bytes.empty()) {
    return invalid("grpc_field_extraction_INVALID_ARGUMENT{REQUEST_OUT_OF_DATA}", "the request has no message");
  }
  const bool has_head = bytes.size() >= grpc::kFrameHead;
  const size_t size = has_head ? grpc::messageLength(bytes) : 0;
  if (size > kMaxMessage) {
    return Reply{.status = 400,
                 .body = "the message is too large for its fields to be read",
                 .details = "grpc_field_extraction_FAILED_PRECONDITION{REQUEST_BUFFER_CONVERSION_FAIL}",
                 .grpc_status = grpc::kFailedPrecondition};
  }
  const bool whole = has_head && bytes.size() - grpc::kFrameHead >= size;
  if (!whole && !body.complete()) return filter::Collect{grpc::kFrameHead + size - 1, true};
  if (!whole || (bytes[0] & 1) != 0) {
    return invalid("grpc_field_extraction_INVALID_ARGUMENT{REQUEST_BUFFER_CONVERSION_FAIL}",
                   whole ? "a compressed message cannot be read" : "the message is cut off");
  }
  const std::string_view message = bytes.substr(grpc::kFrameHead, size);
  for (const Extraction& each : *extractions_) {
    auto values = each.field.read(message);
    if (!values) {
      return invalid("grpc_field_extraction_INVALID_ARGUMENT{REQUEST_FIELD_EXTRACTION_FAILED}",
                     "a field of the message cannot be read");
    }
    context.info().metadata().set(kNamespace, each.name, listOf(*std::move(values)));
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::grpc_field_extraction
