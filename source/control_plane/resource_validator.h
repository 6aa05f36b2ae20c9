// What one resource says by itself, checked by the code that a proxy checks it with: the rules of its fields, then the
// compilers, extensions included. What passes here is not refused by a proxy of the same version.
//
// Thread: the one that loads. Opens nothing and keeps nothing.
#pragma once

#include "google/protobuf/message.h"
#include "source/config/errors.h"
#include "source/config/registry.h"

namespace sluice::control_plane {

class ResourceValidator {
 public:
  virtual ~ResourceValidator() = default;
  // Adds to the context's errors. `resource` is a listener, route configuration, cluster or cluster load assignment.
  virtual void validate(const google::protobuf::Message& resource, const config::Context& context) const = 0;
};

class ProxyValidator final : public ResourceValidator {
 public:
  // The extensions of the program; outlives the validator.
  explicit ProxyValidator(const config::Registry& registry) : registry_(registry) {}

  void validate(const google::protobuf::Message& resource, const config::Context& context) const override;

 private:
  const config::Registry& registry_;
};

}  // namespace sluice::control_plane
