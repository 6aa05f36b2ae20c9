#pragma once

// Fields that arrived in binary form and that api/ does not declare.

#include <cstddef>
#include <string>
#include <vector>

#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

enum class UnknownFieldPolicy {
  kRefuseKnown,  // dynamic resources: what Envoy v1.40 declares is refused by name, and all that is
                 // not known in messages that decide about access (filters that authenticate, authorize and limit, TLS,
                 // matchers); the rest is only counted
  kRefuseAll,    // static files, and dynamic resources under --reject-unknown-dynamic-fields
};

struct UnknownFields {
  size_t refused = 0;
  size_t ignored = 0;
  // The ignored ones, for the log: "path: field 77 of envoy.config.cluster.v3.Cluster". At most 20 are kept.
  std::vector<std::string> ignored_paths;
};

// Looks through `message` and everything in it, messages packed in Any of a linked type included. An error is added for
// each refused field: ignoring a field that restricts access would fail open.
UnknownFields checkUnknownFields(const google::protobuf::Message& message, UnknownFieldPolicy policy,
                                 const Context& context);

}  // namespace sluice::config
