// Parts of a JSON text (RFC 8259) as they stand in it, found without making a document of it: the text is all the
// memory that it takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::extensions::http_filters::aggregate {

// Whether it is one JSON value, with white space around it at most, or a byte order mark in front, which is ignored.
bool isJson(std::string_view text);

// The text of the value to which the keys of objects, and places in lists from "0", lead; of a key that is there twice
// the last one counts. nullopt: there is none. `text` is JSON.
std::optional<std::string_view> sliceOf(std::string_view text, const std::vector<std::string>& path);

}  // namespace sluice::extensions::http_filters::aggregate
