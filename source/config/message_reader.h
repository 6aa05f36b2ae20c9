#pragma once

// Sets the fields of a protobuf message from a Document, by reflection.
//
// The text form is protobuf's JSON mapping, with every form that protobuf's own reader takes (`ignore_unknown` off):
// both name forms, wrappers and Duration as text or as messages, one value for a list of one, null for what is not set,
// Any with
// `@type` resolved in the linked types. A key twice is an error, though. A TypedStruct in an Any is replaced by the
// message that it describes. Reading goes on after an error, so that one pass reports everything.

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

#include "source/config/document.h"
#include "source/config/errors.h"

namespace sluice::config {

class MessageReader {
 public:
  // `max_steps` bounds how many values are read, aliases followed: a small file can name a huge tree.
  // `positions` may be null. All outlive the reader.
  MessageReader(const std::string& file, size_t max_steps, ErrorList& errors, Positions* positions)
      : file_(file), steps_left_(max_steps), errors_(errors), positions_(positions) {}

  // Sets what `root` names and leaves the rest of `message` as it is: repeated fields are appended to, message fields
  // merged, others replaced. `path` is where the message stands, empty for a file's root.
  bool read(const DocumentNode& root, google::protobuf::Message& message, std::string path = {});

 private:
  using Field = google::protobuf::FieldDescriptor;

  void readMessage(const DocumentNode& node, google::protobuf::Message& message, bool skip_type = false);
  bool readWellKnown(const DocumentNode& node, google::protobuf::Message& message);
  void readFields(const DocumentNode& node, google::protobuf::Message& message, bool skip_type);
  void readField(const DocumentNode::Entry& entry, const Field& field, google::protobuf::Message& message);
  void readList(const DocumentNode& node, const Field& field, google::protobuf::Message& message);
  void readItem(const DocumentNode& node, const Field& field, google::protobuf::Message& message);
  void readMap(const DocumentNode& node, const Field& field, google::protobuf::Message& message);
  void readSingular(const DocumentNode& node, const Field& field, google::protobuf::Message& message, bool add);
  void packUnknownType(const DocumentNode& node, const DocumentNode& type_url, const DocumentNode& fields,
                       google::protobuf::Any& any);
  void readAny(const DocumentNode& node, google::protobuf::Any& any);
  void readAnyBody(const DocumentNode& node, const std::string& type_url, google::protobuf::Any& any);
  void readTypedStruct(const DocumentNode& node, google::protobuf::Any& any);
  bool mayBeUnknown(std::string_view type) const;
  void readDuration(const DocumentNode& node, google::protobuf::Message& message);
  void readTimestamp(const DocumentNode& node, google::protobuf::Message& message);
  void readWrapper(const DocumentNode& node, google::protobuf::Message& message);
  void readStruct(const DocumentNode& node, google::protobuf::Message& message);
  void readListValue(const DocumentNode& node, google::protobuf::Message& message);
  void readValue(const DocumentNode& node, google::protobuf::Message& message);

  const Field* findField(const DocumentNode& key, const google::protobuf::Descriptor& type);
  void refuseUnknownField(const DocumentNode& key, const google::protobuf::Descriptor& type);
  void refuseUnknownType(const DocumentNode& at, std::string_view type_url, std::string_view name);
  void refuseScalar(const DocumentNode& node, const Field& field);
  const DocumentNode* entryOf(const DocumentNode& mapping, std::string_view key) const;

  bool enter(const DocumentNode& node);
  void leave() { --depth_; }
  void error(const DocumentNode& at, std::string message, std::string_view rule = {});
  // The same about the whole value at path_, which stays as it was: nothing else is said of it later.
  void refuseValue(const DocumentNode& at, std::string message);
  void record(const DocumentNode& at);
  // How a wrong value reads in an error message.
  std::string shown(const DocumentNode& node) const;

  const std::string& file_;
  size_t steps_left_;
  ErrorList& errors_;
  Positions* positions_;
  std::string path_;
  int depth_ = 0;
  bool optional_ = false;     // in a mapping that says is_optional: the type of its Any may be unknown
  bool alternative_ = false;  // in one of several of which the first of a known type counts
  bool private_ = false;      // below a field that holds a secret
  bool exhausted_ = false;
};

}  // namespace sluice::config
