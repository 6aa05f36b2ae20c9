// What one resource says by itself, checked by the code that a proxy checks it with: the rules of its fields, then the
// compilers. What passes here is not refused by a proxy of the same version.
//
// Thread: the one that loads.
#pragma once

#include "google/protobuf/message.h"
#include "source/config/errors.h"

namespace sluice::control_plane {

class ResourceValidator {
 public:
  // Adds to the context's errors. `resource` is a listener, route configuration, cluster or cluster load assignment.
  void validate(const google::protobuf::Message& resource, const config::Context& context) const;
};

}  // namespace sluice::control_plane
