#include "source/transcoding/bindings.h"

#include "absl/strings/str_cat.h"
#include "source/transcoding/json_stream.h"

namespace sluice::transcoding {

absl::Status Bindings::add(const Fields& fields, std::string_view value) {
  if (fields.back()->is_map()) {
    return absl::InvalidArgumentError(
        absl::StrCat(fields.back()->full_name(), " is a map and cannot be set by a value"));
  }
  Node* node = &root_;
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (!node->values.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(field->full_name(), " is a part of a field that has a value"));
    }
    node = &node->children[field];
  }
  if (!node->children.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(fields.back()->full_name(), " has parts that have values"));
  }
  if (node->values.empty()) all_.push_back(fields);
  if (!fields.back()->is_repeated()) node->values.clear();
  node->values.emplace_back(value);
  return absl::OkStatus();
}

std::string Bindings::json() const {
  std::string out;
  print(root_, out);
  return out;
}

void Bindings::print(const Node& node, std::string& out) {
  char before = '{';
  for (const auto& [field, child] : node.children) {
    out += before;
    before = ',';
    appendJsonString(out, field->name());
    out += ':';
    if (!child.children.empty()) {
      print(child, out);
      continue;
    }
    if (field->is_repeated()) out += '[';
    for (size_t i = 0; i < child.values.size(); ++i) {
      if (i > 0) out += ',';
      appendJsonString(out, child.values[i]);
    }
    if (field->is_repeated()) out += ']';
  }
  out += before == '{' ? "{}" : "}";
}

}  // namespace sluice::transcoding
