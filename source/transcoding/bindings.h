// Values of a path and a query as a message: what they say is put into JSON and read as any JSON is, so that numbers,
// enums, times and wrappers are what they are in a body.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"

namespace sluice::transcoding {

class Bindings {
 public:
  using Fields = std::vector<const google::protobuf::FieldDescriptor*>;

  // A repeated field gets one more element, any other one the value in place of what it had. The error says why the
  // field cannot be set so.
  absl::Status add(const Fields& fields, std::string_view value);
  bool empty() const { return root_.children.empty(); }
  // An object; its scalars are strings.
  std::string json() const;
  // The fields that have values.
  const std::vector<Fields>& all() const { return all_; }

 private:
  struct Node {
    std::map<const google::protobuf::FieldDescriptor*, Node> children;
    std::vector<std::string> values;
  };

  static void print(const Node& node, std::string& out);

  Node root_;
  std::vector<Fields> all_;
};

}  // namespace sluice::transcoding
