// The values at some places of a JSON text (RFC 8259), read without keeping the rest of it.
//
// Memory is that of the values that were found, plus a bit for each level of nesting: a hostile text costs no more than
// its length, once and once more for each path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::extensions::http_filters::json_to_metadata {

// Keys of objects, from the outermost; at least one. It does not lead through lists.
using JsonPath = std::vector<std::string>;

using JsonScalar = std::variant<bool, int64_t, double, std::string>;

// What stands at each path: nullopt where nothing does, or null, an object or a list. Of a key that is there twice the
// last one counts. Nullopt as a whole: the text is no JSON.
std::optional<std::vector<std::optional<JsonScalar>>> readJsonValues(std::string_view text,
                                                                     const std::vector<JsonPath>& paths);

}  // namespace sluice::extensions::http_filters::json_to_metadata
