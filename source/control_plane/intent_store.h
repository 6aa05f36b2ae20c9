// The directory of intent: reads it whole, keeps the last one that was good, writes files into it.
//
// All or nothing: one error anywhere and the whole scan is refused, and what was good before goes on being served.
// Thread: the main loop's; reading blocks, files are small. Only files that changed are parsed again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/config/errors.h"
#include "source/control_plane/intent.h"
#include "source/observability/log.h"

namespace sluice::control_plane {

// The readable files of a directory by name.
using FileTexts = std::map<std::string, std::string>;

class IntentStore : public SnapshotSource {
 public:
  // `validator` and `logger` outlive the store.
  IntentStore(std::string directory, const ResourceValidator& validator, observability::Logger& logger);

  // Reads the directory. False if it is refused (logged, kept in lastErrors); true if it is good, changed or not.
  bool reload();

  // Validates the directory as it would be with `text` in the file `name`, writes that file in one step and loads it.
  // InvalidArgument tells what is wrong; nothing is written then. Gives the new version.
  absl::StatusOr<std::string> apply(const std::string& name, std::string_view text);

  absl::StatusOr<SnapshotPtr> snapshotFor(const Node& node) override;

  // Null until the first good load.
  const Intent* intent() const { return intent_.get(); }
  // How many good versions there were since the start, each other than the one before.
  uint64_t generation() const { return generation_; }
  // Of the last scan; without errors if it was good.
  const config::ErrorList& lastErrors() const { return last_errors_; }
  const std::string& directory() const { return directory_; }

 private:
  struct ParsedFile {
    uint64_t hash;  // of the content
    IntentFilePtr file;
    std::vector<config::ConfigError> warnings;
  };
  using Parsed = std::map<std::string, ParsedFile>;

  absl::StatusOr<FileTexts> readDirectory();
  absl::StatusOr<FileTexts> readOnce();
  std::unique_ptr<Intent> compile(const FileTexts& texts, config::ErrorList& errors);
  void note(const std::string& name, std::string_view why);

  const std::string directory_;
  const ResourceValidator& validator_;
  observability::Logger& logger_;
  std::unique_ptr<Intent> intent_;
  uint64_t generation_ = 0;
  Parsed parsed_;
  config::ErrorList last_errors_;
  std::vector<config::ConfigError> ignored_;  // what of the directory is not read
  std::set<std::string> told_;                // the warnings that are in the log already
};

// A name that apply() may write: letters, digits, '.', '_', '-', not hidden, ending in .yaml, .yml or .json.
bool isIntentFileName(std::string_view name);

}  // namespace sluice::control_plane
