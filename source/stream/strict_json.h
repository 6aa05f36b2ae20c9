// A JSON object (RFC 8259) that can be read in one meaning only, for what decides about access.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "source/stream/metadata.h"

namespace sluice::stream {

constexpr size_t kStrictJsonDepth = 32;  // the object itself is the first

// nullopt: no object, two members of one name in any object, nested deeper, not UTF-8, half of a surrogate pair, or a
// number that no double holds. Numbers are doubles, finite, and exact up to 2^53.
std::optional<MetadataFields> readStrictJson(std::string_view text);

}  // namespace sluice::stream
