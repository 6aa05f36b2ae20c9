// The query of a request's path. (RFC 3986 section 3.4)
#pragma once

#include <optional>
#include <string_view>

#include "source/base/arena.h"

namespace sluice::http {

// What stands behind the first '?'; nullopt: there is none.
std::optional<std::string_view> queryOf(std::string_view path);

// What stands between two '&': "name=value", as it was sent.
struct QueryParameter {
  std::string_view text, name, value;
};
// Takes the first one off a query; all of it is empty where nothing stands between.
QueryParameter takeParameter(std::string_view& query);

// The value, as it was sent, of the first parameter whose decoded name is `name`; nullopt: there is none.
std::optional<std::string_view> queryParameterOf(std::string_view path, std::string_view name);

// The path without each parameter whose decoded name is `name`, and without "?" if nothing else is behind it.
std::string_view withoutParameter(std::string_view path, std::string_view name, base::Arena& arena);

}  // namespace sluice::http
