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

#include "source/filter/check_attributes.h"
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
  bool raw_headers = false;    // their values as bytes, each by itself
  const std::map<std::string, std::string>* context_extensions = nullptr;
  const filter::ConnectionTold& told;
  const stream::MetadataFields* route_metadata = nullptr;  // null: nothing
  const std::vector<std::string>& route_namespaces;        // of which the service is told
};

std::string encodeCheck(const CheckInput& input);

struct Decision {
  bool allowed = false;
  bool failed = false;                     // the service could not decide; `status` 0: it does not say which
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
