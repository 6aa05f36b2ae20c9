// Which requests a filter is for: all, or only those of this site, or only those of others.
#pragma once

#include <cstdint>

#include "source/http/headers.h"

namespace sluice::filter {

enum class RequestType : uint8_t { kBoth, kInternal, kExternal };

inline bool concerns(RequestType type, const http::RequestHeaders& headers) {
  if (type == RequestType::kBoth) return true;
  const bool internal = headers.get(http::Name::kXEnvoyInternal) == "true";
  return internal == (type == RequestType::kInternal);
}

}  // namespace sluice::filter
