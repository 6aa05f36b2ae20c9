#include "source/config/document.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice::config {

std::string_view DocumentNode::kindName() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInteger:
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
  }
  return "a value";
}

void Document::fromStruct(const google::protobuf::Struct& value) {
  root_ = addStruct(value, 0);
}

const DocumentNode* Document::addStruct(const google::protobuf::Struct& value, int depth) {
  DocumentNode* node = makeNode();
  node->kind = DocumentNode::Kind::kMapping;
  for (const auto& [name, field] : value.fields()) {
    DocumentNode* key = makeNode();
    key->kind = DocumentNode::Kind::kString;
    key->text = name;
    node->entries.push_back({key, addValue(field, depth + 1), false});
  }
  return node;
}

const DocumentNode* Document::addValue(const google::protobuf::Value& value, int depth) {
  if (depth > kMaxDepth) return &null_;  // protobuf's own parser stops at 100 as well
  switch (value.kind_case()) {
    case google::protobuf::Value::kStructValue:
      return addStruct(value.struct_value(), depth);
    case google::protobuf::Value::kListValue: {
      DocumentNode* node = makeNode();
      node->kind = DocumentNode::Kind::kSequence;
      for (const auto& item : value.list_value().values()) node->items.push_back(addValue(item, depth + 1));
      return node;
    }
    case google::protobuf::Value::kStringValue: {
      DocumentNode* node = makeNode();
      node->kind = DocumentNode::Kind::kString;
      node->text = value.string_value();
      return node;
    }
    case google::protobuf::Value::kNumberValue: {
      DocumentNode* node = makeNode();
      const double number = value.number_value();
      const bool integral = std::trunc(number) == number && std::fabs(number) < 9.0e15;
      node->kind = integral ? DocumentNode::Kind::kInteger : DocumentNode::Kind::kNumber;
      node->text = integral ? absl::StrCat(static_cast<int64_t>(number)) : absl::StrFormat("%.17g", number);
      return node;
    }
    case google::protobuf::Value::kBoolValue: {
      DocumentNode* node = makeNode();
      node->kind = DocumentNode::Kind::kBool;
      node->boolean = value.bool_value();
      node->text = node->boolean ? "true" : "false";
      return node;
    }
    case google::protobuf::Value::kNullValue:
    case google::protobuf::Value::KIND_NOT_SET:
      break;
  }
  return &null_;
}

}  // namespace sluice::config
