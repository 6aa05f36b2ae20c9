// Takes what is private out of configuration before it is shown.
#pragma once

#include <string_view>

#include "google/protobuf/message.h"

namespace sluice::config {

// Replaces by "[redacted]", at any depth and inside Any too: inline contents of private keys, passwords and secrets,
// and the values of header entries that carry credentials (authorization, cookie, api keys, tokens); in a Struct by
// the names of its fields. What cannot be looked into (an Any of a type that this program does not know, or that is
// broken) loses its bytes; the other types get the prefix that JSON needs.
void redact(google::protobuf::Message& message);

// Whether a field of that name holds a secret, whatever its message. No error may quote its value.
bool isPrivateName(std::string_view name);

}  // namespace sluice::config
