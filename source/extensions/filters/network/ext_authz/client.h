// What the filter says to an authorization service and hears from it, without protobuf.
// (proto: envoy.service.auth.v3.CheckRequest, CheckResponse)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/filter/check_attributes.h"
#include "source/stream/metadata.h"
#include "source/stream/stream_info.h"

namespace sluice::extensions::network_filters::ext_authz {

inline constexpr std::string_view kCheckPath = "/envoy.service.auth.v3.Authorization/Check";

std::string encodeCheck(const stream::StreamInfo& info, const filter::ConnectionTold& told);

struct Decision {
  bool allowed = false;
  bool failed = false;  // the service could not decide
  stream::MetadataFields metadata;
};

// nullopt: it cannot be read.
std::optional<Decision> decodeCheck(std::string_view message);

}  // namespace sluice::extensions::network_filters::ext_authz
