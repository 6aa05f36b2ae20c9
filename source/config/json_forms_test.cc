// The text form against protobuf's own reader: what that takes (unknown names refused), the loader takes, with the same
// meaning.

#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/json_util.h"

#include "source/config/loader.h"

namespace sluice::config {
namespace {

// A message with a field of each kind there is: "type name", where a type is a scalar's, E, M or google.protobuf's.
constexpr const char* kSingular[] = {"int32 i32",
                                     "uint32 u32",
                                     "int64 i64",
                                     "uint64 u64",
                                     "double d",
                                     "float f",
                                     "bool b",
                                     "string s",
                                     "bytes y",
                                     "E e",
                                     "M m",
                                     "Int32Value wi",
                                     "UInt64Value wu",
                                     "BoolValue wb",
                                     "StringValue ws",
                                     "DoubleValue wd",
                                     "FloatValue wf",
                                     "BytesValue wy",
                                     "Duration du",
                                     "Timestamp ts",
                                     "Struct st",
                                     "Value v",
                                     "ListValue lv",
                                     "Any a",
                                     "Empty em",
                                     "NullValue nv",
                                     "string snake_case_name"};
constexpr const char* kRepeated[] = {"int32 ri",    "string rs",      "E re",     "M rm",
                                     "Duration rd", "UInt32Value rw", "Value rv", "Struct rst",
                                     "bytes ry",    "ListValue rlv",  "Any ra"};
constexpr const char* kMaps[] = {"string string ms",   "int32 M mi",      "bool string mb",   "string E me",
                                 "string Duration md", "string Value mv", "string Struct mst"};
constexpr const char* kOneof[] = {"string oa", "M ob", "UInt32Value oc", "Value od"};

google::protobuf::FieldDescriptorProto& addField(google::protobuf::DescriptorProto& message, const std::string& type,
                                                 const std::string& name) {
  google::protobuf::FieldDescriptorProto& field = *message.add_field();
  field.set_name(name);
  field.set_number(message.field_size());
  field.set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  google::protobuf::FieldDescriptorProto::Type scalar;
  if (google::protobuf::FieldDescriptorProto::Type_Parse("TYPE_" + absl::AsciiStrToUpper(type), &scalar)) {
    field.set_type(scalar);
  } else {
    field.set_type_name(type.size() == 1 ? ".forms." + type : ".google.protobuf." + type);
  }
  return field;
}

void addMap(google::protobuf::DescriptorProto& message, const std::string& key, const std::string& value,
            const std::string& name) {
  google::protobuf::DescriptorProto& entry = *message.add_nested_type();
  entry.set_name(static_cast<char>(name[0] - 0x20) + name.substr(1) + "Entry");
  entry.mutable_options()->set_map_entry(true);
  addField(entry, key, "key");
  addField(entry, value, "value");
  auto& field = addField(message, "bytes", name);
  field.set_type(google::protobuf::FieldDescriptorProto::TYPE_MESSAGE);
  field.set_type_name(".forms.M." + entry.name());
  field.set_label(google::protobuf::FieldDescriptorProto::LABEL_REPEATED);
}

google::protobuf::FileDescriptorProto describe() {
  google::protobuf::FileDescriptorProto file;
  file.set_name("forms.proto");
  file.set_package("forms");
  file.set_syntax("proto3");
  for (const char* import : {"any", "duration", "empty", "struct", "timestamp", "wrappers"})
    file.add_dependency(std::string("google/protobuf/") + import + ".proto");
  google::protobuf::EnumDescriptorProto& values = *file.add_enum_type();
  values.set_name("E");
  for (const auto& [name, number] : {std::pair("ZERO", 0), std::pair("ONE_TWO", 1), std::pair("MINUS", -1)}) {
    values.add_value()->set_name(name);
    values.mutable_value()->rbegin()->set_number(number);
  }
  google::protobuf::DescriptorProto& message = *file.add_message_type();
  message.set_name("M");
  message.add_oneof_decl()->set_name("o");
  const auto words = [](const char* text) -> std::vector<std::string> { return absl::StrSplit(text, ' '); };
  for (const char* text : kSingular) addField(message, words(text)[0], words(text)[1]);
  for (const char* text : kRepeated) {
    addField(message, words(text)[0], words(text)[1]).set_label(google::protobuf::FieldDescriptorProto::LABEL_REPEATED);
  }
  for (const char* text : kMaps) addMap(message, words(text)[0], words(text)[1], words(text)[2]);
  for (const char* text : kOneof) addField(message, words(text)[0], words(text)[1]).set_oneof_index(0);
  return file;
}

using google::protobuf::Descriptor;
using google::protobuf::Message;

// Any resolves in the linked types, so they lie beneath the pool.
class Forms {
 public:
  Forms() : pool_(google::protobuf::DescriptorPool::generated_pool()), factory_(&pool_) {
    factory_.SetDelegateToGeneratedFactory(true);
    type_ = pool_.BuildFile(describe())->FindMessageTypeByName("M");
  }

  const Descriptor& type() const { return *type_; }

  // What protobuf reads, as text; empty if it refuses.
  std::string theirs(const std::string& json) {
    google::protobuf::util::JsonParseOptions options;
    options.case_insensitive_enum_parsing = true;
    const std::unique_ptr<Message> message(factory_.GetPrototype(type_)->New());
    return JsonStringToMessage(json, message.get(), options).ok() ? "{" + message->DebugString() + "}" : "";
  }

  // What the loader reads, or its first error.
  std::string ours(const std::string& json) {
    ErrorList errors;
    Positions positions;
    const std::unique_ptr<Message> message(factory_.GetPrototype(type_)->New());
    if (Loader(errors, positions).loadText(json, Format::kJson, "f.json", *message))
      return "{" + message->DebugString() + "}";
    return errors.toString();
  }

  void compare(const std::string& json) {
    const std::string wanted = theirs(json);
    INFO(json);
    if (!wanted.empty()) CHECK(ours(json) == wanted);
  }

 private:
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  const Descriptor* type_;
};

Forms& forms() {
  static Forms instance;
  return instance;
}

// Values by kind, taken and refused ones.
const std::vector<std::string>& scalars() {
  static const auto* const kScalars = new std::vector<std::string>{
      // numbers
      "0", "1", "-1", "-0", "1.0", "1e3", "1.5", "5.", "5.e3", "0.0", "2147483648", "-2147483648.0", "4294967295.0",
      "9223372036854775807", "9223372036854775808", "9007199254740993.0", "9.3e18", "1e18", "18446744073709551615",
      "18446744073709551616", "1e19", "1e-400", "3.5e38", "3.4028235e38", "16777217", "9007199254740993",
      // numbers as strings
      R"("1")", R"("-1")", R"("+1")", R"("010")", R"("1.0")", R"("1e3")", R"("1.")", R"(".5")", R"(" 1")", R"("0x10")",
      R"("-0x1p3")", R"("0x")", R"("")", R"("NaN")", R"("Infinity")", R"("-Infinity")", R"("inf")", R"("1e400")",
      R"("18446744073709551615")", R"("9223372036854775807")",
      // booleans, null, enums
      "true", "false", "null", R"("true")", R"("TRUE")", R"("t")", R"("yes")", R"("y")", R"("no")", R"("N")", R"("f")",
      R"("0")", R"("on")", R"("ONE_TWO")", R"("one_two")", R"("one-two")", R"("OneTwo")", R"("MINUS")", "77",
      R"("NULL_VALUE")",
      // text and bytes
      R"("x")", R"('x')", R"('it"s')", R"("it's")", R"("a\qb")", R"("\u00e9\ud83d\ude00")", "\"\ttab\"", R"("AAE=")",
      R"("AAE")", R"("AA==")", R"("AA")", R"("-_-_")", R"("+/+/")", R"("-w")", R"("-w==")", R"("-_+/")", R"("A")",
      R"("AAE= ")",
      // durations and times
      R"("1s")", R"("0.5s")", R"("1.s")", R"("-1.5s")", R"("-0.5s")", R"("+1s")", R"(" 1s")", R"("1 s")", R"("- 1s")",
      R"("-+1s")", R"("00001s")", R"("-0s")", R"("1.123456789s")", R"("1.0000000000s")", R"("315576000000s")",
      R"("-315576000000.999999999s")", R"("2026-01-31T12:00:00Z")", R"("2026-01-31T12:00:00.5Z")",
      R"("2026-01-31T12:00:00.1234567891Z")", R"("2026-01-31T12:00:00+01:00")", R"("2026-1-1T1:0:0Z")",
      R"("2026-01-31T12:00:00+1:00")", R"("0001-01-01T00:00:00Z")", R"("2026-02-29T12:00:00Z")"};
  return *kScalars;
}

const std::vector<std::string>& composites() {
  static const auto* const kComposites = new std::vector<std::string>{
      "{}",
      "[]",
      "[null]",
      "[[]]",
      "[1, null, 2]",
      "[[1], 2]",
      "[1,]",
      R"(["1s", {"seconds": 2}])",
      R"({"value": 1})",
      R"({"value": "1"})",
      R"({"value": null})",
      R"({"value": true})",
      R"({"value": "AAE"})",
      R"({value: 'x',})",
      R"({"value": {"value": 1}})",
      R"({"seconds": 1})",
      R"({"seconds": "1", "nanos": 5})",
      R"({"seconds": 1.0, "nanos": "5"})",
      R"({"seconds": null})",
      R"({"seconds": 999999999999})",
      R"({"nanos": 1999999999})",
      R"({"a": 1})",
      R"({"a": null})",
      R"({"a": "x"})",
      R"({"a": "1s"})",
      R"({"a": {}})",
      R"({"a": {"seconds": 1}})",
      R"({"a": [1, [2]]})",
      R"({"a": "one_two"})",
      R"({"1": {}})",
      R"({"1": null})",
      R"({"1": {"s": "x"}})",
      R"({"+1": {}})",
      R"({"true": "x", "0": "y"})",
      R"({"": ""})",
      R"({"fields": {"a": 1}})",
      R"({"values": [1]})",
      R"({"values": 1})",
      R"({"values": null})",
      R"({"s": "x"})",
      R"({"s": null})",
      R"([{"s": "x"}])",
      R"([[{"s": "x"}]])",
      R"({"m": {"i32": "1"}})",
      R"({"snakeCaseName": "x"})",
      R"({"snake_case_name": "x"})",
      R"({"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"})",
      R"({"@type": "type.googleapis.com/google.protobuf.Duration", "value": {"seconds": 1}})",
      R"({"value": "1s", "@type": "type.googleapis.com/google.protobuf.Duration"})",
      R"({"@type": "type.googleapis.com/google.protobuf.Duration", "seconds": 1})",
      R"({"@type": "type.googleapis.com/google.protobuf.Duration"})",
      R"({"@type": "type.googleapis.com/google.protobuf.Duration", "value": null})",
      R"({"@type": "type.googleapis.com/google.protobuf.UInt32Value", "value": {"value": 5}})",
      R"({"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": 5}})",
      R"({"@type": "type.googleapis.com/google.protobuf.Struct", "a": 5})",
      R"({"@type": "type.googleapis.com/google.protobuf.Value", "value": null})",
      R"({"@type": "type.googleapis.com/google.protobuf.Empty"})",
      R"({"@type": "type.googleapis.com/google.protobuf.Any", "value": {"@type": "type.googleapis.com/google.protobuf.Empty"}})"};
  return *kComposites;
}

TEST_CASE("every form of a value that protobuf's own JSON reader takes is taken, with the same meaning") {
  for (int i = 0; i < forms().type().field_count(); ++i) {
    for (const auto* values : {&scalars(), &composites()}) {
      for (const std::string& value : *values) {
        const std::string& name = forms().type().field(i)->name();
        forms().compare("{\"" + name + "\": " + value + "}");
        forms().compare("{'" + name + "': [" + value + "],}");
        forms().compare("{m: {" + name + ": {\"a\": " + value + "}}}");
      }
    }
  }
}

TEST_CASE("documents of random fields and values mean what they mean to protobuf's own JSON reader") {
  std::mt19937 random(20260131);  // NOLINT(cert-msc51-cpp): the same documents each time
  const auto pick = [&random](size_t count) { return random() % count; };
  const auto valueOf = [&pick](const auto& self, int depth) -> std::string {
    if (depth > 2 || pick(3) == 0) return pick(2) == 0 ? scalars()[pick(scalars().size())] : "null";
    if (pick(3) == 0) return composites()[pick(composites().size())];
    if (pick(2) == 0) return "[" + self(self, depth + 1) + ", " + self(self, depth + 1) + "]";
    const std::string& name = forms().type().field(static_cast<int>(pick(forms().type().field_count())))->name();
    return "{" + name + ": " + self(self, depth + 1) + "}";
  };
  for (int i = 0; i < 5000; ++i) {
    const int first = static_cast<int>(pick(forms().type().field_count()));
    const int second =
        (first + 1 + static_cast<int>(pick(forms().type().field_count() - 1))) % forms().type().field_count();
    forms().compare("{" + forms().type().field(first)->name() + ": " + valueOf(valueOf, 0) + ", " +
                    forms().type().field(second)->name() + ": " + valueOf(valueOf, 0) + "}");
  }
}

TEST_CASE("what protobuf's own JSON reader refuses of durations is refused") {
  for (const std::string text : {".5s", "-.5s", "s", "1.1234567890s", "1.9999999999s", "1e3s", "0x1s", "1.+5s", "1. 5s",
                                 "1S", "1", "1s ", "315576000001s", "--1s", "1.0.0s"}) {
    const std::string json = "{\"du\": \"" + text + "\"}";
    INFO(json);
    CHECK(forms().theirs(json).empty());
    CHECK(forms().ours(json).find("is not a duration") != std::string::npos);
  }
}

TEST_CASE("a name that protobuf's own JSON reader does not know is refused wherever it stands") {
  for (const std::string json : {R"({"x": 1})", R"({"du": {"x": 1}})", R"({"wi": {"x": 1}})", R"({"lv": {"x": 1}})",
                                 R"({"em": {"x": 1}})", R"({"rm": {"x": 1}})", R"({"x": null})",
                                 R"({"a": {"@type": "type.googleapis.com/google.protobuf.Duration", "x": 1}})"}) {
    INFO(json);
    CHECK(forms().theirs(json).empty());
    CHECK(forms().ours(json).find("f.json:1:") == 0);
  }
}

}  // namespace
}  // namespace sluice::config
