#include "source/config/text_message.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

#include "source/config/any_type.h"
#include "source/config/document.h"
#include "source/config/known_fields.h"

namespace sluice::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;
using Tree = TextFormat::ParseInfoTree;

// Remembers the type that an Any names and nobody has.
class TypeFinder : public TextFormat::Finder {
 public:
  const google::protobuf::Descriptor* FindAnyType(const Message& message, const std::string& prefix,
                                                  const std::string& name) const override {
    const auto* type = Finder::FindAnyType(message, prefix, name);
    if (type == nullptr) unknown_ = prefix + name;
    return type;
  }

  std::string takeUnknown() { return std::exchange(unknown_, {}); }

 private:
  mutable std::string unknown_;
};

// `Message type "M" has no field named "f".` says less than is known of M.
std::string explained(const std::string& message) {
  const std::vector<std::string> parts = absl::StrSplit(message, '"');
  const bool of_field = parts.size() == 5 && absl::StrContains(parts[2], "has no field named");
  if (of_field && isKnownField(parts[1], parts[3])) {
    return absl::StrCat("\"", parts[3], "\" is a field of Envoy's ", parts[1], " that ",
                        whyRefused(parts[1], parts[3]));
  }
  // What was found may be a secret; the place is told.
  const size_t end = std::min(message.find(", found "), message.find(", got: "));
  return absl::StrCat("is not text of a protobuf message: ", message.substr(0, end));
}

class Collector : public google::protobuf::io::ErrorCollector {
 public:
  Collector(const std::string& name, TypeFinder& types, ErrorList& errors)
      : name_(name), types_(types), errors_(errors) {}

  void AddError(int line, int column, const std::string& message) override {
    const std::string type = types_.takeUnknown();
    errors_.add({name_, line + 1, column + 1, "", "", type.empty() ? explained(message) : unknownTypeMessage(type)});
  }

 private:
  const std::string& name_;
  TypeFinder& types_;
  ErrorList& errors_;
};

// Where the fields of `message` stand, and those of the messages in it.
class Recorder {
 public:
  Recorder(const std::string& name, Positions& positions) : name_(name), positions_(positions) {}

  void record(const Message& message, const Tree& tree, const std::string& path) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const std::string at = absl::StrCat(path, path.empty() ? "" : ".", field->name());
      const bool list = field->is_repeated();
      const int count = list ? message.GetReflection()->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) recordValue(message, *field, list ? i : -1, tree, at);
    }
  }

 private:
  void recordValue(const Message& message, const FieldDescriptor& field, int index, const Tree& tree,
                   const std::string& path) {
    const TextFormat::ParseLocation place = tree.GetLocation(&field, index);
    if (place.line < 0) return;
    const bool item = index >= 0 && !field.is_map();
    const std::string at = item ? absl::StrCat(path, "[", index, "]") : path;
    if (index <= 0) positions_.record(path, name_, place.line + 1, place.column + 1);
    if (item) positions_.record(at, name_, place.line + 1, place.column + 1);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map()) return;
    const Tree* inner = tree.GetTreeForNested(&field, index);
    if (inner == nullptr) return;
    const google::protobuf::Reflection& fields = *message.GetReflection();
    record(index < 0 ? fields.GetMessage(message, &field) : fields.GetRepeatedMessage(message, &field, index), *inner,
           at);
  }

  const std::string& name_;
  Positions& positions_;
};

}  // namespace

bool readTextMessage(std::string_view text, const std::string& name, Message& message, ErrorList& errors,
                     Positions& positions) {
  TypeFinder types;
  Collector collector(name, types, errors);
  Tree tree;
  TextFormat::Parser parser;
  parser.SetFinder(&types);
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(Document::kMaxDepth);
  const ErrorMark mark(errors);
  // Merging would let a field be set twice.
  const std::unique_ptr<Message> parsed(message.New());
  const bool read = parser.ParseFromString(std::string(text), parsed.get());
  message.MergeFrom(*parsed);
  if (!read && !mark.hit()) errors.add({name, 0, 0, "", "", "is not text of a protobuf message"});
  positions.record("", name, 1, 1);
  Recorder(name, positions).record(*parsed, tree, "");
  return read && !mark.hit();
}

}  // namespace sluice::config
