// The literal text that every full match of a regular expression begins with: "/api/" of "/api/(v1|v2)/.*".
//
// Read from the expression's text, and careful: where it is not certain, the answer is shorter, at worst empty.
// (RE2::PossibleMatchRange is not used: it is wrong about word boundaries. "^aa*?\b" matches "a" and it says "aa".)
#pragma once

#include <string>
#include <string_view>

namespace sluice::route {

// `pattern` is one that RE2 accepts, with the options of compileRegex.
std::string literalBeginning(std::string_view pattern);

}  // namespace sluice::route
