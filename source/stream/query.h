// The query of a request's path, for logs. (RFC 3986 section 3.4)
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::stream {

// What stands behind the first '?'; nullopt: there is none.
std::optional<std::string_view> queryOf(std::string_view path);

// The decoded value of the first parameter whose decoded name is `name`; nullopt: there is none.
std::optional<std::string> queryParameterOf(std::string_view path, std::string_view name);

}  // namespace sluice::stream
