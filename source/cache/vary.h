// Which header fields of requests an answer depends on. (RFC 9110 section 12.5.5)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::cache {

// In lower case, sorted, each once.
using VaryNames = std::vector<std::string>;

// Empty: on none. Nullopt: on more than fields say ("*"), or on too many.
std::optional<VaryNames> varyOf(const http::HeaderList& response);

// What requests say in these fields, as a text that is the same for the same values only.
std::string variantOf(const VaryNames& names, const http::HeaderList& request);

}  // namespace sluice::cache
