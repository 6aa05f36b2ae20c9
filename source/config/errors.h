#pragma once

// What is wrong with a configuration, and where.
//
// The loader, the validator and the compilers add to one ErrorList, so a file's errors are reported together. Positions
// remembers where each field stands in its file, so that an error found long after parsing can still name line and
// column. All of it belongs to the thread that loads; nothing here is locked.

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"

namespace sluice::config {

struct ConfigError {
  std::string file;  // empty: not from a file (an xDS resource)
  int line = 0;      // from 1; 0 where unknown
  int column = 0;    // from 1; 0 where unknown
  std::string path;  // static_resources.clusters[2].connect_timeout
  std::string rule;  // the broken constraint in short, such as "string.min_len"; may be empty
  std::string message;

  // "file:line:col: path: message (rule)", with the parts that are known.
  std::string toString() const;
};

// Errors (the configuration is refused) and warnings (it works, but not for ever) in order of discovery.
class ErrorList {
 public:
  // More errors than this are counted but not kept: a file of another kind would give one for every line.
  static constexpr size_t kMaxKept = 1000;

  void add(ConfigError error);
  void warn(ConfigError warning);

  // The same for the value at error.path, which could not be read: what holds there instead says nothing about it.
  void addUnread(ConfigError error);
  // Whether the value at `path`, or one that it stands in, could not be read.
  bool isUnread(std::string_view path) const;
  // Whether a value in the message or list at `path` could not be read, a direct member or item of it.
  bool hasUnreadPart(std::string_view path) const;
  // Counts an error that is not told because of that: the value is wrong all the same.
  void addRepeated() { ++repeated_; }
  size_t repeated() const { return repeated_; }

  bool empty() const { return total_ == 0; }
  // All errors, those that were not kept included.
  size_t total() const { return total_; }
  const std::vector<ConfigError>& errors() const { return errors_; }
  const std::vector<ConfigError>& warnings() const { return warnings_; }

  // One error a line.
  std::string toString() const;
  // OK when empty, otherwise InvalidArgument with toString().
  absl::Status status() const;

 private:
  std::vector<ConfigError> errors_;
  std::vector<ConfigError> warnings_;
  size_t total_ = 0;
  std::set<std::string, std::less<>> unread_;  // paths; at most kMaxKept
  size_t repeated_ = 0;
};

struct Position {
  std::string_view file;
  int line = 0;
  int column = 0;
};

// Where the fields of one message came from, by field path.
class Positions {
 public:
  // A later position of the same path replaces the earlier one.
  void record(std::string_view path, std::string_view file, int line, int column);

  // The position of `path`, or of the nearest enclosing field that has one. The view lives as long as this object.
  Position find(std::string_view path) const;

  bool empty() const { return by_path_.empty(); }

 private:
  struct Entry {
    int file;
    int line;
    int column;
  };

  std::vector<std::string> files_;
  std::unordered_map<std::string, Entry> by_path_;
};

// Where a validator or compiler is: a field path, and the list that takes what it finds there. Cheap to copy; the list
// and the positions outlive it.
class Context {
 public:
  // `positions` may be null (a dynamic resource).
  explicit Context(ErrorList& errors, const Positions* positions = nullptr, std::string path = {})
      : errors_(&errors), positions_(positions), path_(std::move(path)) {}

  Context child(std::string_view field) const;
  Context child(std::string_view field, size_t index) const;
  Context entry(std::string_view field, std::string_view key) const;

  // Says what is wrong with the value at this path, why and what to do. `rule` may be empty.
  void error(std::string_view message, std::string_view rule = {}) const;
  void warn(std::string_view message, std::string_view rule = {}) const;

  const std::string& path() const { return path_; }
  ErrorList& errors() const { return *errors_; }
  const Positions* positions() const { return positions_; }

 private:
  ConfigError make(std::string_view message, std::string_view rule) const;

  ErrorList* errors_;
  const Positions* positions_;
  std::string path_;
};

// Of a DataSource's watched_directory, where nothing follows the file.
inline constexpr char kReadOnce[] =
    "would have the file read again when it changes; it is read once here, with the configuration, so remove it, and "
    "for certificates write the watched_directory beside them";

// Tells whether errors were added since it was made.
class ErrorMark {
 public:
  explicit ErrorMark(const ErrorList& errors) : errors_(errors), before_(errors.total()) {}
  explicit ErrorMark(const Context& context) : ErrorMark(context.errors()) {}

  bool hit() const { return errors_.total() != before_; }

 private:
  const ErrorList& errors_;
  const size_t before_;
};

// The candidate nearest to `name` by edit distance, or empty if none is near enough to be what was meant.
std::string_view nearestName(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace sluice::config
