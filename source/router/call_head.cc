#include "source/router/call_head.h"

namespace sluice::router {

using upstream::AttemptEnd;

void writeHead(const filter::HttpCallRequest& request, std::string_view scheme, http::RequestHeaders& headers) {
  headers.method = request.method;
  headers.path = request.path;
  headers.scheme = scheme;
  headers.authority = request.authority.empty() ? std::string_view(request.cluster) : request.authority;
  for (const auto& [name, value] : request.headers) headers.addView(name, value);
}

std::string_view failureOf(const AttemptEnd& end) {
  switch (end.kind) {
    case AttemptEnd::Kind::kNoConnection:
      return end.connection == upstream::pool::Failure::kOverflow ? "overflow" : "connect_failed";
    case AttemptEnd::Kind::kTimeout:
      return "timeout";
    default:
      return end.reset == http::ResetReason::kProtocolError ? "protocol_error" : "reset";
  }
}

}  // namespace sluice::router
