// What the filter says to a gRPC authorization service and hears from it, without protobuf.
// (proto: envoy.service.auth.v3.CheckRequest, CheckResponse)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/filter/header_changes.h"
#include "source/http/headers.h"
#include "source/stream/metadata.h"
#include "source/stream/stream_info.h"

namespace sluice::extensions::http_filters::ext_authz {

inline constexpr std::string_view kCheckPath = "/envoy.service.auth.v3.Authorization/Check";

struct CheckInput {
  const http::RequestHeaders& request;
  const stream::StreamInfo& info;
  const filter::NameMatcher& allowed;  // of the request's headers; empty: all
  const filter::NameMatcher& disallowed;
  std::string_view body;
  bool body_as_bytes = false;  // whatever they are
  const std::map<std::string, std::string>* context_extensions = nullptr;
  bool peer_certificate = false;
  bool tls_session = false;
};

std::string encodeCheck(const CheckInput& input);

struct Decision {
  bool allowed = false;
  filter::HeaderChanges request_headers;   // of an allowed request
  filter::HeaderChanges response_headers;  // of the response to it, or of the refusal
  std::vector<std::pair<std::string, std::string>> query_set;
  std::vector<std::string> query_remove;
  stream::MetadataFields metadata;
  uint16_t status = 403;  // of a refusal
  std::string body;
};

// nullopt: it cannot be read.
std::optional<Decision> decodeCheck(std::string_view message);

// A path with query parameters removed and set.
std::string withQuery(std::string_view path, const Decision& decision);

}  // namespace sluice::extensions::http_filters::ext_authz
