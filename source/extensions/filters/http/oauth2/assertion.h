// A signed statement of who this proxy is, for token endpoints. (RFC 7523)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2/client.h"

namespace sluice::extensions::http_filters::oauth2 {

// `key`: private, in PEM. nullopt: it is none, or not one for the client's algorithm.
std::optional<std::string> clientAssertion(const Client& client, std::string_view key, int64_t now);

}  // namespace sluice::extensions::http_filters::oauth2
