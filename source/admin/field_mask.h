// Which fields of messages are shown (google.protobuf.FieldMask): paths of field names as they stand in proto files,
// separated by commas. A path leads through lists, each entry of which it means, and into what is packed in an Any.
// Thread: any, one at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

namespace sluice::admin {

class FieldMask {
 public:
  // Errors say what is wrong with `text`.
  static absl::StatusOr<FieldMask> parse(std::string_view text);

  // Takes off the message what no path means.
  void trim(google::protobuf::Message& message) { trim(message, root_); }
  // Whether a path begins in a message of that type.
  bool touches(const google::protobuf::Descriptor& type) const;
  // A path that is none in any of the messages that were trimmed; empty: there is no such path. What lies in a list
  // that was empty everywhere is not judged.
  std::string unknown() const { return unknown(root_, {}); }

 private:
  struct Node {
    std::map<std::string, Node> children;  // by field; none: all of it
    bool looked = false;                   // there was a message to look into
    bool known = false;                    // that had such a field
  };

  static void trim(google::protobuf::Message& message, Node& node);
  static std::string unknown(const Node& node, const std::string& path);

  Node root_;
};

// The message that is packed in `any`; null if its type is not linked or its bytes are broken.
std::unique_ptr<google::protobuf::Message> unpacked(const google::protobuf::Any& any);

}  // namespace sluice::admin
