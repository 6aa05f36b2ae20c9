// What the TLS library says about a failure, in its own terms and in words.
#pragma once

#include <string>

namespace sluice::tls {

// Empties this thread's error queue into "268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER|..."; empty if
// there is nothing in it.
std::string errorQueueText();

struct Failure {
  std::string text;  // "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER (in words)"
  bool no_peer_certificate = false;  // a required client certificate did not come
  bool verification = false;         // the peer's certificate was refused by us
};

// Of the call that just failed on this thread.
Failure takeFailure();

}  // namespace sluice::tls
