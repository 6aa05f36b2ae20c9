// Functions of strings and bytes. Used by functions.cc only.
#pragma once

#include "source/match/cel/functions.h"

namespace sluice::match::cel {

// Two strings, or two bytes.
Value joined(const Value& a, const Value& b, Memory& memory);

namespace text {
Value contains(const Arguments& args);
Value startsWith(const Arguments& args);
Value endsWith(const Arguments& args);
Value matches(const Arguments& args);
// The extension that Envoy switches on by enable_string_functions.
Value lowerAscii(const Arguments& args);
Value upperAscii(const Arguments& args);
Value trim(const Arguments& args);
Value replace(const Arguments& args);
Value split(const Arguments& args);
Value join(const Arguments& args);
}  // namespace text

}  // namespace sluice::match::cel
