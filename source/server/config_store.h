// What this process has accepted of its control plane, in a file that another one starts from while that is away.
//
// One file of a folder, whole or not at all: written beside and moved into its place, sealed with the key of a key
// file. Of several processes one at a time writes, and the last one's is there. Thread: any.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/crypto/sealer.h"
#include "source/xds/resource_watcher.h"

namespace sluice::server {

class ConfigStore {
 public:
  // All of one type from one source (its xds::identity).
  struct Type {
    std::string url;
    std::string source;
    std::vector<xds::StoredType::Resource> resources;
  };
  struct Contents {
    std::vector<Type> types;
    std::chrono::system_clock::time_point saved;
  };

  // Makes the folder (0700) if it is not there, and, without `key_path`, the key in it (0600). Errors: neither can be
  // made or read, the key is none, or everybody may read it.
  static absl::StatusOr<ConfigStore> open(const std::string& folder, const std::string& key_path);

  // Errors: NotFound where there is none; DataLoss where it is not what was written, or was sealed with another key.
  absl::StatusOr<Contents> read() const;
  absl::Status write(const Contents& contents) const;
  const std::string& path() const { return path_; }

 private:
  ConfigStore(std::string folder, crypto::Sealer sealer)
      : path_(std::move(folder) + "/accepted.sealed"), sealer_(sealer) {}

  std::string path_;
  crypto::Sealer sealer_;
};

}  // namespace sluice::server
