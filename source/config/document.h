#pragma once

// A YAML or JSON text as a tree of values with positions: what the loader reads messages from.
//
// Parsing keeps to the rules that existing Envoy files depend on: quoted or tagged YAML scalars are strings, plain ones
// are booleans (yes, no, on and off too), integers (hexadecimal and octal too) or strings; `<<` merges mappings; a
// mapping key tagged `!ignore` is dropped with its value. Aliases share nodes; how many values, bytes and levels a
// reader meets that follows them is bounded by the size of the text.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/struct.pb.h"

#include "source/config/errors.h"

namespace sluice::config {

struct DocumentNode {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kNumber, kString, kSequence, kMapping };

  struct Entry {
    const DocumentNode* key;
    const DocumentNode* value;
    bool merged;  // came through `<<`, so a second definition of its key is no error
  };

  Kind kind = Kind::kNull;
  bool boolean = false;
  bool plain = false;  // a scalar without quotes
  int line = 0;        // from 1
  int column = 0;      // from 1
  std::string text;    // scalars: the value; integers in decimal
  std::vector<const DocumentNode*> items;
  std::vector<Entry> entries;

  std::string_view kindName() const;
};

// Owns the nodes.
class Document {
 public:
  static constexpr size_t kMaxBytes = size_t{64} << 20;
  static constexpr int kMaxDepth = 100;

  // Both return false after adding to `errors` what is wrong and where. `file` is only named in errors.
  bool parseYaml(std::string_view text, const std::string& file, ErrorList& errors);
  bool parseJson(std::string_view text, const std::string& file, ErrorList& errors);
  // The tree of a Struct (of a TypedStruct that came over the wire); it has no positions.
  void fromStruct(const google::protobuf::Struct& value);

  const DocumentNode& root() const { return *root_; }

  DocumentNode* makeNode() { return &nodes_.emplace_back(); }
  void setRoot(const DocumentNode* root) { root_ = root; }

 private:
  const DocumentNode* addStruct(const google::protobuf::Struct& value, int depth);
  const DocumentNode* addValue(const google::protobuf::Value& value, int depth);

  std::deque<DocumentNode> nodes_;  // stable addresses, no recursion on destruction
  DocumentNode null_;
  const DocumentNode* root_ = &null_;
};

}  // namespace sluice::config
