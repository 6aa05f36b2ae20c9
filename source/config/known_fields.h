#pragma once

// What Envoy v1.40 declares, whether or not api/ does: it tells "not supported yet" from "no such name". Immutable.
// A field with number 0 is known by its name only.

#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

bool isKnownMessage(std::string_view full_name);
// Whether Envoy's message has a field of this snake_case name.
bool isKnownField(std::string_view message, std::string_view field);
// The name of a field by number; empty if Envoy has none.
std::string_view knownFieldName(std::string_view message, int number);
// Why a field that Envoy has cannot be used here, and what to do, as the end of "is a field of Envoy's M that ".
std::string whyRefused(std::string_view message, std::string_view field);
// Full names, sorted.
const std::vector<std::string_view>& knownMessages();

}  // namespace sluice::config
