#pragma once

// The rules on single values that api/ states as options: lengths, ranges, required fields, defined enum values.
//
// What concerns more than one field, or a name elsewhere, is the compilers' business. Thread-compatible, no state.

#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

// Checks `message` and everything in it, messages packed in an Any included. Each broken rule is an error at its
// field's path; each use of a deprecated field is a warning. True if no error was added.
bool validate(const google::protobuf::Message& message, const Context& context);

}  // namespace sluice::config
