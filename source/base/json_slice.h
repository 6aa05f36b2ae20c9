// Parts of a JSON text (RFC 8259) as they stand in it, found without making a document of it: the text is all the
// memory that it takes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::base {

// Whether it is one JSON value, with white space around it at most, or a byte order mark in front, which is ignored.
bool isJson(std::string_view text);

// The text of the value to which the keys of objects, and places in lists from "0", lead; of a key that is there twice
// the last one counts. nullopt: there is none. `text` is JSON.
std::optional<std::string_view> sliceOf(std::string_view text, const std::vector<std::string>& path);

// Each member of an object, in order: its key with quotes, as it stands there, and the text of its value. What is no
// object has none. `text` is JSON.
using OnMember = std::function<void(std::string_view key, std::string_view value)>;
void forEachMember(std::string_view text, const OnMember& on_member);

// What a string with its quotes means.
std::string unquoted(std::string_view string);
// A value without the white space between its tokens, so that it is one line.
std::string compacted(std::string_view text);

}  // namespace sluice::base
