// All files of one directory together: what each group of nodes is to have.
//
// A group is the set of files that a node is selected by; groups share resources and each has one snapshot, made when
// its first node asks. Files of an Intent never change; the cache of snapshots belongs to the main loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/config/errors.h"
#include "source/control_plane/intent_file.h"
#include "source/control_plane/snapshot_source.h"

namespace sluice::control_plane {

class Intent : public SnapshotSource {
 public:
  // Checks what files say of each other: a type and name that some node would get twice, and names that no file which
  // goes to the same nodes gives. Null after adding to `errors`.
  static std::unique_ptr<Intent> make(std::vector<IntentFilePtr> files, config::ErrorList& errors);

  absl::StatusOr<SnapshotPtr> snapshotFor(const Node& node) override;

  const std::vector<IntentFilePtr>& files() const { return files_; }
  size_t resourceCount() const;
  // Content hash of everything, selectors included; the same after a restart.
  const std::string& version() const { return version_; }

 private:
  using Group = std::vector<bool>;  // one bit a file

  explicit Intent(std::vector<IntentFilePtr> files);
  void checkReferences(config::ErrorList& errors) const;
  Group groupOf(const Node& node) const;
  absl::StatusOr<SnapshotPtr> build(const Group& group) const;

  std::vector<IntentFilePtr> files_;
  std::string version_;
  std::map<Group, absl::StatusOr<SnapshotPtr>> snapshots_;
};

}  // namespace sluice::control_plane
