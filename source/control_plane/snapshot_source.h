// Where the discovery server gets what a node is to have.
#pragma once

#include "absl/status/statusor.h"
#include "source/control_plane/discovery_messages.h"
#include "source/control_plane/snapshot.h"

namespace sluice::control_plane {

class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // The same pointer for the same group of nodes. An error if what is meant for this node does not fit together
  // (two files give it one name); then the node keeps what it has.
  virtual absl::StatusOr<SnapshotPtr> snapshotFor(const Node& node) = 0;
};

}  // namespace sluice::control_plane
