#include "source/config/message_reader.h"

#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "xds/type/v3/typed_struct.pb.h"

#include "source/config/any_type.h"
#include "source/config/known_fields.h"
#include "source/config/redact.h"
#include "source/config/scalars.h"

namespace sluice::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = DocumentNode::Kind;

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

bool isMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

bool isValue(const FieldDescriptor& field) {
  return isMessage(field) && field.message_type()->full_name() == "google.protobuf.Value";
}

// Whether one value of the field may be written as a list.
bool takesList(const FieldDescriptor& field) {
  return isValue(field) || (isMessage(field) && field.message_type()->full_name() == "google.protobuf.ListValue");
}

// (proto: HttpFilter.is_optional, FilterConfig.is_optional, ClusterSpecifierPlugin.is_optional)
bool saysOptional(const DocumentNode& node, const Descriptor& type) {
  const FieldDescriptor* field = type.FindFieldByName("is_optional");
  if (field == nullptr) return false;
  for (const DocumentNode::Entry& entry : node.entries) {
    const bool named = entry.key->text == field->name() || entry.key->text == field->camelcase_name();
    if (named) return toBool(*entry.value).value_or(false);
  }
  return false;
}

bool isTypedExtension(const Descriptor& type) {
  return type.full_name() == "envoy.config.core.v3.TypedExtensionConfig";
}

// What a field of this type takes, for error messages.
std::string expectation(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "an integer from -2147483648 to 2147483647";
    case FieldDescriptor::CPPTYPE_UINT32:
      return "an integer from 0 to 4294967295";
    case FieldDescriptor::CPPTYPE_INT64:
      return "an integer from -9223372036854775808 to 9223372036854775807";
    case FieldDescriptor::CPPTYPE_UINT64:
      return "an integer from 0 to 18446744073709551615";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("a value of ", field.enum_type()->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "base64 text" : "a string";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a mapping";
  }
  return "another value";
}

// Sets or adds one scalar. False if the node does not have the type or range of the field.
bool setScalar(const DocumentNode& node, const FieldDescriptor& field, Message& message, bool add) {
  const Reflection& fields = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      const std::optional<int64_t> value = toInt64(node);
      if (!value || *value < std::numeric_limits<int32_t>::min() || *value > std::numeric_limits<int32_t>::max())
        return false;
      const auto narrow = static_cast<int32_t>(*value);
      add ? fields.AddInt32(&message, &field, narrow) : fields.SetInt32(&message, &field, narrow);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      const std::optional<uint64_t> value = toUint64(node);
      if (!value || *value > std::numeric_limits<uint32_t>::max()) return false;
      const auto narrow = static_cast<uint32_t>(*value);
      add ? fields.AddUInt32(&message, &field, narrow) : fields.SetUInt32(&message, &field, narrow);
      return true;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      const std::optional<int64_t> value = toInt64(node);
      if (value) add ? fields.AddInt64(&message, &field, *value) : fields.SetInt64(&message, &field, *value);
      return value.has_value();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      const std::optional<uint64_t> value = toUint64(node);
      if (value) add ? fields.AddUInt64(&message, &field, *value) : fields.SetUInt64(&message, &field, *value);
      return value.has_value();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const std::optional<double> value = toDouble(node);
      if (value) add ? fields.AddDouble(&message, &field, *value) : fields.SetDouble(&message, &field, *value);
      return value.has_value();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const std::optional<double> value = toDouble(node);
      if (!value) return false;
      const auto narrow = static_cast<float>(*value);
      if (std::isinf(narrow) && !std::isinf(*value)) return false;
      add ? fields.AddFloat(&message, &field, narrow) : fields.SetFloat(&message, &field, narrow);
      return true;
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      const std::optional<bool> value = toBool(node);
      if (value) add ? fields.AddBool(&message, &field, *value) : fields.SetBool(&message, &field, *value);
      return value.has_value();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const std::optional<int> value = toEnum(node, *field.enum_type());
      if (value) add ? fields.AddEnumValue(&message, &field, *value) : fields.SetEnumValue(&message, &field, *value);
      return value.has_value();
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      if (node.kind != Kind::kString) return false;
      std::optional<std::string> value = node.text;
      if (field.type() == FieldDescriptor::TYPE_BYTES) value = toBytes(node);
      if (!value) return false;
      add ? fields.AddString(&message, &field, *value) : fields.SetString(&message, &field, *value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return false;
}

}  // namespace

bool MessageReader::read(const DocumentNode& root, Message& message, std::string path) {
  const size_t before = errors_.total();
  path_ = std::move(path);
  record(root);
  if (root.kind != Kind::kNull) readMessage(root, message);
  return errors_.total() == before;
}

bool MessageReader::enter(const DocumentNode& node) {
  ++depth_;
  if (depth_ > Document::kMaxDepth) {
    error(node, "values are nested deeper than 100 levels");
    return false;
  }
  if (steps_left_ == 0) {
    if (!exhausted_)
      error(node, "aliases multiply the file beyond what is read; write the values out or use fewer aliases");
    exhausted_ = true;
    return false;
  }
  --steps_left_;
  return true;
}

void MessageReader::error(const DocumentNode& at, std::string message, std::string_view rule) {
  errors_.add({file_, at.line, at.column, path_, std::string(rule), std::move(message)});
}

void MessageReader::refuseValue(const DocumentNode& at, std::string message) {
  errors_.addUnread({file_, at.line, at.column, path_, "", std::move(message)});
}

void MessageReader::record(const DocumentNode& at) {
  if (positions_ != nullptr && at.line > 0) positions_->record(path_, file_, at.line, at.column);
}

void MessageReader::readMessage(const DocumentNode& node, Message& message, bool skip_type) {
  if (enter(node) && !readWellKnown(node, message)) readFields(node, message, skip_type);
  leave();
}

// Types with a JSON form of their own. False for all others.
bool MessageReader::readWellKnown(const DocumentNode& node, Message& message) {
  constexpr std::string_view kPackage = "google.protobuf.";
  const std::string& type = message.GetDescriptor()->full_name();
  if (type.compare(0, kPackage.size(), kPackage) != 0) return false;
  if (type == "google.protobuf.Any") {
    readAny(node, static_cast<google::protobuf::Any&>(message));
  } else if (type == "google.protobuf.Duration") {
    readDuration(node, message);
  } else if (type == "google.protobuf.Timestamp") {
    readTimestamp(node, message);
  } else if (type == "google.protobuf.Struct") {
    readStruct(node, message);
  } else if (type == "google.protobuf.Value") {
    readValue(node, message);
  } else if (type == "google.protobuf.ListValue") {
    readListValue(node, message);
  } else if (type == "google.protobuf.Empty") {
    return false;
  } else {
    readWrapper(node, message);
  }
  return true;
}

void MessageReader::readFields(const DocumentNode& node, Message& message, bool skip_type) {
  if (node.kind != Kind::kMapping) {
    // A text may be a secret that some field of the message is for.
    const std::string found = node.kind == Kind::kString ? std::string(node.kindName()) : shown(node);
    refuseValue(node,
                absl::StrCat("expected a mapping of ", message.GetDescriptor()->name(), "'s fields, found ", found));
    return;
  }
  const Descriptor& type = *message.GetDescriptor();
  std::unordered_set<const Field*> seen;
  std::unordered_map<const google::protobuf::OneofDescriptor*, const Field*> chosen;
  const size_t path_size = path_.size();
  const bool outer_optional =
      std::exchange(optional_, saysOptional(node, type) || (optional_ && isTypedExtension(type)));
  const bool outer_alternative =
      std::exchange(alternative_, isAlternative(type) || (alternative_ && isTypedExtension(type)));
  for (const DocumentNode::Entry& entry : node.entries) {
    if (skip_type && entry.key->text == "@type") continue;
    const Field* field = findField(*entry.key, type);
    if (field == nullptr) {
      refuseUnknownField(*entry.key, type);
      continue;
    }
    absl::StrAppend(&path_, path_.empty() ? "" : ".", field->name());
    record(*entry.key);
    if (!seen.insert(field).second) {
      if (!entry.merged) error(*entry.key, "is set twice in this mapping; keep one");
    } else if (entry.value->kind != Kind::kNull || isValue(*field)) {
      const auto* oneof = field->containing_oneof();
      const auto [other, first] =
          oneof == nullptr ? std::make_pair(chosen.end(), true) : chosen.try_emplace(oneof, field);
      if (first) {
        const bool outer_private = std::exchange(private_, private_ || isPrivateName(field->name()));
        readField(entry, *field, message);
        private_ = outer_private;
      } else {
        error(*entry.key, absl::StrCat("cannot be set together with ", other->second->name(), "; keep one of them"),
              absl::StrCat("oneof ", oneof->name()));
      }
    }
    path_.resize(path_size);
  }
  optional_ = outer_optional;
  alternative_ = outer_alternative;
}

const MessageReader::Field* MessageReader::findField(const DocumentNode& key, const Descriptor& type) {
  if (const Field* field = type.FindFieldByName(key.text)) return field;
  return type.FindFieldByCamelcaseName(key.text);
}

void MessageReader::refuseUnknownField(const DocumentNode& key, const Descriptor& type) {
  const size_t path_size = path_.size();
  absl::StrAppend(&path_, path_.empty() ? "" : ".", key.text.substr(0, 100));
  if (key.kind == Kind::kSequence || key.kind == Kind::kMapping) {
    error(key, "a field's name is a string");
  } else if (isKnownField(type.full_name(), key.text)) {
    error(key, absl::StrCat("is a field of Envoy's ", type.name(), " that ", whyRefused(type.full_name(), key.text)));
  } else {
    std::vector<std::string_view> declared;
    for (int i = 0; i < type.field_count(); ++i) declared.push_back(type.field(i)->name());
    const std::string_view nearest = nearestName(key.text, declared);
    error(key, absl::StrCat("unknown field of ", type.full_name(),
                            nearest.empty() ? "" : absl::StrCat("; did you mean \"", view(nearest), "\"?")));
  }
  path_.resize(path_size);
}

void MessageReader::readField(const DocumentNode::Entry& entry, const Field& field, Message& message) {
  if (field.is_map()) {
    readMap(*entry.value, field, message);
  } else if (field.is_repeated()) {
    readList(*entry.value, field, message);
  } else {
    readSingular(*entry.value, field, message, false);
  }
}

void MessageReader::readList(const DocumentNode& node, const Field& field, Message& message) {
  if (node.kind == Kind::kNull && !isValue(field)) return;
  if (node.kind != Kind::kSequence) {
    readItem(node, field, message);  // a list of one needs no brackets
    return;
  }
  for (const DocumentNode* item : node.items) {
    if (item->kind == Kind::kNull && !isValue(field)) continue;
    if (item->kind == Kind::kSequence && !takesList(field)) {
      if (enter(*item)) readList(*item, field, message);  // a list in a list adds its items
      leave();
    } else {
      readItem(*item, field, message);
    }
    if (exhausted_) return;
  }
}

void MessageReader::readItem(const DocumentNode& node, const Field& field, Message& message) {
  const size_t path_size = path_.size();
  absl::StrAppend(&path_, "[", message.GetReflection()->FieldSize(message, &field), "]");
  record(node);
  readSingular(node, field, message, true);
  path_.resize(path_size);
}

void MessageReader::readSingular(const DocumentNode& node, const Field& field, Message& message, bool add) {
  if (isMessage(field)) {
    const Reflection& fields = *message.GetReflection();
    readMessage(node, add ? *fields.AddMessage(&message, &field) : *fields.MutableMessage(&message, &field));
  } else if (!setScalar(node, field, message, add)) {
    refuseScalar(node, field);
  }
}

std::string MessageReader::shown(const DocumentNode& node) const {
  constexpr size_t kLongest = 60;
  if (private_ || node.kind == Kind::kSequence || node.kind == Kind::kMapping || node.kind == Kind::kNull) {
    return std::string(node.kindName());
  }
  const std::string text = node.text.size() > kLongest ? node.text.substr(0, kLongest) + "..." : node.text;
  return node.kind == Kind::kString ? absl::StrCat("\"", text, "\"") : text;
}

void MessageReader::refuseScalar(const DocumentNode& node, const Field& field) {
  std::string text = absl::StrCat("expected ", expectation(field), ", found ", shown(node));
  if (field.cpp_type() == Field::CPPTYPE_ENUM && node.kind == Kind::kString) {
    std::vector<std::string_view> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) names.push_back(field.enum_type()->value(i)->name());
    const std::string_view nearest = nearestName(absl::AsciiStrToUpper(node.text), names);
    if (!nearest.empty()) {
      absl::StrAppend(&text, "; did you mean \"", view(nearest), "\"?");
    } else {
      text += "; known:";
      for (const std::string_view name : names) absl::StrAppend(&text, " ", view(name));
    }
  } else if (field.type() == Field::TYPE_STRING && node.plain && !node.text.empty()) {
    absl::StrAppend(&text, "; quote it", private_ ? "" : absl::StrCat(": \"", node.text, "\""));
  }
  refuseValue(node, std::move(text));
}

void MessageReader::readMap(const DocumentNode& node, const Field& field, Message& message) {
  if (node.kind != Kind::kMapping) {
    refuseValue(node, absl::StrCat("expected a mapping, found ", shown(node)));
    return;
  }
  const Field& key_field = *field.message_type()->map_key();
  const Field& value_field = *field.message_type()->map_value();
  const size_t path_size = path_.size();
  std::unordered_set<std::string_view> seen;
  for (const DocumentNode::Entry& entry : node.entries) {
    absl::StrAppend(&path_, "[\"", entry.key->text.substr(0, 200), "\"]");
    record(*entry.key);
    DocumentNode key = *entry.key;
    if (key_field.type() == Field::TYPE_STRING && key.kind != Kind::kSequence && key.kind != Kind::kMapping) {
      key.kind = Kind::kString;  // a key needs no quotes: `8080:` names the key "8080"
    }
    if (!seen.insert(entry.key->text).second) {
      if (!entry.merged) error(*entry.key, "is set twice in this mapping; keep one");
    } else {
      Message& pair = *message.GetReflection()->AddMessage(&message, &field);
      if (!setScalar(key, key_field, pair, false)) refuseScalar(*entry.key, key_field);
      const bool is_default = entry.value->kind == Kind::kNull && !isValue(value_field);
      if (!is_default) readSingular(*entry.value, value_field, pair, false);
    }
    path_.resize(path_size);
    if (exhausted_) return;
  }
}

const DocumentNode* MessageReader::entryOf(const DocumentNode& mapping, std::string_view key) const {
  for (const DocumentNode::Entry& entry : mapping.entries) {
    if (entry.key->text == key) return entry.value;
  }
  return nullptr;
}

void MessageReader::readAny(const DocumentNode& node, google::protobuf::Any& any) {
  if (node.kind != Kind::kMapping) {
    refuseValue(node, absl::StrCat("expected a mapping with \"@type\", found ", shown(node)));
    return;
  }
  any.Clear();
  if (node.entries.empty()) return;
  const DocumentNode* type_url = entryOf(node, "@type");
  if (type_url == nullptr || type_url->kind != Kind::kString) {
    refuseValue(node, "has no \"@type\"; name the message, such as \"@type\": type.googleapis.com/envoy...");
    return;
  }
  if (isTypedStruct(typeNameOf(type_url->text))) {
    readTypedStruct(node, any);
  } else if (std::unique_ptr<Message> message = newMessage(typeNameOf(type_url->text))) {
    readAnyBody(node, type_url->text, any);
  } else if (mayBeUnknown(typeNameOf(type_url->text))) {
    packUnknownType(node, *type_url, node, any);
  } else {
    refuseValue(*type_url, unknownTypeMessage(type_url->text));
  }
}

bool MessageReader::mayBeUnknown(std::string_view type) const {
  return alternative_ || (optional_ && !isKnownType(type));
}

// As a TypedStruct, whose reader decides what becomes of it.
void MessageReader::packUnknownType(const DocumentNode& node, const DocumentNode& type_url, const DocumentNode& fields,
                                    google::protobuf::Any& any) {
  xds::type::v3::TypedStruct wrapper;
  wrapper.set_type_url(type_url.text);
  if (&fields != &node && fields.kind == Kind::kMapping) readMessage(fields, *wrapper.mutable_value());
  packAny(wrapper, "type.googleapis.com/xds.type.v3.TypedStruct", any);
}

// `node` holds the fields and "@type", or, for types with a JSON form of their own, "value".
void MessageReader::readAnyBody(const DocumentNode& node, const std::string& type_url, google::protobuf::Any& any) {
  const std::unique_ptr<Message> message = newMessage(typeNameOf(type_url));
  const std::string& type = message->GetDescriptor()->full_name();
  if (type.compare(0, 16, "google.protobuf.") == 0 && type != "google.protobuf.Empty") {
    for (const DocumentNode::Entry& entry : node.entries) {
      const std::string& key = entry.key->text;
      if (key != "@type" && key != "value") {
        error(*entry.key, absl::StrCat("a ", type, " in an Any stands in \"value\"; move \"", key, "\" into it"));
      }
    }
    const DocumentNode* value = entryOf(node, "value");
    const bool is_default = value == nullptr || (value->kind == Kind::kNull && type != "google.protobuf.Value");
    if (!is_default) readMessage(*value, *message);
  } else {
    readMessage(node, *message, true);
  }
  packAny(*message, type_url, any);
}

void MessageReader::readTypedStruct(const DocumentNode& node, google::protobuf::Any& any) {
  const DocumentNode* type_url = entryOf(node, "type_url");
  if (type_url == nullptr) type_url = entryOf(node, "typeUrl");
  const DocumentNode* value = entryOf(node, "value");
  if (type_url == nullptr || type_url->kind != Kind::kString) {
    refuseValue(node, "a TypedStruct needs \"type_url\", the type that \"value\" describes");
    return;
  }
  for (const DocumentNode::Entry& entry : node.entries) {
    const std::string& key = entry.key->text;
    if (key != "@type" && key != "type_url" && key != "typeUrl" && key != "value") {
      error(*entry.key, absl::StrCat("a TypedStruct has only type_url and value; move \"", key, "\" into value"));
    }
  }
  const std::string_view name = typeNameOf(type_url->text);
  const std::unique_ptr<Message> message = isTypedStruct(name) ? nullptr : newMessage(name);
  if (message == nullptr && mayBeUnknown(name)) {
    const DocumentNode nothing;
    return packUnknownType(node, *type_url, value == nullptr ? nothing : *value, any);
  }
  if (message == nullptr) {
    refuseValue(*type_url, unknownTypeMessage(type_url->text));
    return;
  }
  if (value != nullptr && value->kind != Kind::kNull) readMessage(*value, *message);
  packAny(*message, type_url->text, any);
}

// Well-known types with a text of their own may also be written as the messages that they are.
void MessageReader::readDuration(const DocumentNode& node, Message& message) {
  if (node.kind == Kind::kMapping) return readFields(node, message, false);
  const std::optional<google::protobuf::Duration> duration =
      node.kind == Kind::kString ? toDuration(node.text) : std::nullopt;
  if (duration) {
    message.CopyFrom(*duration);
  } else {
    refuseValue(node, absl::StrCat(shown(node), " is not a duration; ", durationAdvice(node.text)));
  }
}

void MessageReader::readTimestamp(const DocumentNode& node, Message& message) {
  if (node.kind == Kind::kMapping) return readFields(node, message, false);
  const std::optional<google::protobuf::Timestamp> time =
      node.kind == Kind::kString ? toTimestamp(node.text) : std::nullopt;
  if (time) {
    message.CopyFrom(*time);
  } else {
    refuseValue(node, absl::StrCat(shown(node), " is not a time; write it as \"2026-01-31T12:00:00Z\""));
  }
}

// BoolValue, UInt32Value and so on read as their one field. FieldMask is not used by any declared field.
void MessageReader::readWrapper(const DocumentNode& node, Message& message) {
  const Field* value = message.GetDescriptor()->FindFieldByName("value");
  if (value == nullptr || value->is_repeated() || isMessage(*value)) {
    error(node, absl::StrCat(message.GetDescriptor()->full_name(), " cannot be written in a configuration file"));
  } else if (node.kind == Kind::kMapping) {
    readFields(node, message, false);
  } else if (!setScalar(node, *value, message, false)) {
    refuseScalar(node, *value);
  }
}

void MessageReader::readStruct(const DocumentNode& node, Message& message) {
  readMap(node, *message.GetDescriptor()->FindFieldByName("fields"), message);
}

void MessageReader::readListValue(const DocumentNode& node, Message& message) {
  if (node.kind == Kind::kMapping) return readFields(node, message, false);
  if (node.kind != Kind::kSequence) return error(node, absl::StrCat("expected a list, found ", shown(node)));
  readList(node, *message.GetDescriptor()->FindFieldByName("values"), message);
}

void MessageReader::readValue(const DocumentNode& node, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& fields = *message.GetReflection();
  switch (node.kind) {
    case Kind::kNull:
      fields.SetEnumValue(&message, type.FindFieldByName("null_value"), 0);
      return;
    case Kind::kBool:
      fields.SetBool(&message, type.FindFieldByName("bool_value"), node.boolean);
      return;
    case Kind::kInteger:
    case Kind::kNumber:
      if (const std::optional<double> number = toDouble(node)) {
        fields.SetDouble(&message, type.FindFieldByName("number_value"), *number);
      } else {
        error(node, "the number is too large");
      }
      return;
    case Kind::kString:
      fields.SetString(&message, type.FindFieldByName("string_value"), node.text);
      return;
    case Kind::kMapping:
      readMessage(node, *fields.MutableMessage(&message, type.FindFieldByName("struct_value")));
      return;
    case Kind::kSequence:
      readMessage(node, *fields.MutableMessage(&message, type.FindFieldByName("list_value")));
      return;
  }
}

}  // namespace sluice::config
