// Takes what is private out of configuration before it is shown.
#pragma once

#include "google/protobuf/message.h"

namespace sluice::config {

// Replaces by "[redacted]", at any depth and inside Any too: inline contents of private keys, passwords and secrets,
// and the values of header entries that carry credentials (authorization, cookie, api keys, tokens). What cannot be
// looked into (an Any of a type that this program does not know, or that is broken) loses its bytes.
void redact(google::protobuf::Message& message);

}  // namespace sluice::config
