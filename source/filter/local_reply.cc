#include "source/filter/local_reply.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"

namespace sluice::filter {

using http::Name;

namespace {

// A trailers-only response: one head that ends the stream.
void writeGrpcReply(const Reply& reply, http::ResponseHeaders& headers) {
  headers.status = 200;
  headers.addView(Name::kContentType, http::grpc::kContentType);
  const bool has_status = std::any_of(reply.headers.begin(), reply.headers.end(),
                                      [](const auto& field) { return field.first == "grpc-status"; });
  if (!has_status) {
    headers.add(Name::kGrpcStatus, absl::StrCat(reply.grpc_status.value_or(http::grpc::statusOfHttp(reply.status))));
  }
  if (!reply.body.empty()) {
    constexpr size_t kMaxMessage = 1024;  // a header has less room than a body
    headers.add(Name::kGrpcMessage, http::grpc::encodeMessage(std::string_view(reply.body).substr(0, kMaxMessage)));
  }
  for (const auto& [name, value] : reply.headers) {
    const Name id = http::nameOf(name);
    if (id != Name::kContentType && id != Name::kContentLength) headers.add(name, value);
  }
}

}  // namespace

std::string writeReply(Reply& reply, const http::RequestHeaders& request, http::ResponseHeaders& headers) {
  headers.clear();
  headers.reason = {};
  headers.status = reply.status;
  if (reply.stream) {
    for (const auto& [name, value] : reply.headers) headers.add(name, value);
    return {};
  }
  const bool redirect = reply.status >= 300 && reply.status < 400;
  if (!redirect && http::grpc::isGrpcRequest(request)) {
    writeGrpcReply(reply, headers);
    return {};
  }
  if (reply.status != 204) headers.add(Name::kContentLength, absl::StrCat(reply.body.size()));  // RFC 9110 8.6
  bool has_type = false;
  for (const auto& [name, value] : reply.headers) {
    has_type |= name == "content-type";
    headers.add(name, value);
  }
  if (!has_type && !reply.body.empty()) headers.addView(Name::kContentType, "text/plain");
  return std::move(reply.body);
}

}  // namespace sluice::filter
