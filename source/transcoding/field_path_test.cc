#include "source/transcoding/field_path.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/text_format.h"
#include "source/transcoding/descriptor_set.h"
#include "source/transcoding/test_library_service.h"

namespace sluice::transcoding {
namespace {

// Each kind of number, and a oneof.
constexpr char kNumbers[] = R"(
name: "numbers.proto" package: "n" syntax: "proto3"
message_type { name: "Numbers"
  field { name: "i32" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "s64" number: 2 type: TYPE_SINT64 label: LABEL_OPTIONAL }
  field { name: "u64" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "f32" number: 4 type: TYPE_FIXED32 label: LABEL_OPTIONAL }
  field { name: "sf64" number: 5 type: TYPE_SFIXED64 label: LABEL_OPTIONAL }
  field { name: "real" number: 6 type: TYPE_FLOAT label: LABEL_OPTIONAL }
  field { name: "double" number: 7 type: TYPE_DOUBLE label: LABEL_REPEATED }
  field { name: "flag" number: 8 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "a" number: 9 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "b" number: 10 type: TYPE_INT32 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "map" number: 11 type: TYPE_MESSAGE type_name: ".n.Numbers.MapEntry" label: LABEL_REPEATED }
  nested_type { name: "MapEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  oneof_decl { name: "choice" } }
)";

struct Types {
  Types() {
    google::protobuf::FileDescriptorProto numbers;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(kNumbers, &numbers));
    google::protobuf::FileDescriptorSet both;
    *both.add_file() = testing::libraryFile();
    *both.add_file() = numbers;
    set = *DescriptorSet::parse(both.SerializeAsString());
  }
  const google::protobuf::Descriptor& type(const std::string& name) { return *set->pool().FindMessageTypeByName(name); }
  std::string bytes(const std::string& name, const std::string& text) {
    const auto message = set->newMessage(type(name));
    REQUIRE(google::protobuf::TextFormat::ParseFromString(text, message.get()));
    return message->SerializeAsString();
  }
  // The values with ',' between.
  std::string read(const std::string& name, const std::string& path, const std::string& bytes) {
    const auto field = FieldPath::compile(type(name), path);
    if (!field.ok()) return std::string(field.status().message());
    const auto values = field->read(bytes);
    return values ? absl::StrJoin(*values, ",") : "(none)";
  }

  std::shared_ptr<const DescriptorSet> set;
};

TEST_CASE("texts and numbers are read by their path, through lists as well") {
  Types types;
  const std::string book = types.bytes("lib.GetBookRequest", R"(
      name: "n" revision: -2 ids: 1 ids: -3 author { full_name: "Ada" boss { full_name: "Bo" } }
      books { title: "t1" tags: "x" tags: "y" } books { tags: "z" } )");
  const auto read = [&](const std::string& path) { return types.read("lib.GetBookRequest", path, book); };

  CHECK(read("name") == "n");
  CHECK(read("revision") == "-2");
  CHECK(read("ids") == "1,-3");
  CHECK(read("author.full_name") == "Ada");
  CHECK(read("author.boss.full_name") == "Bo");
  CHECK(read("author.boss.boss.full_name") == "");
  CHECK(read("books.tags") == "x,y,z");
  CHECK(read("books.title") == "t1");
  CHECK(types.read("lib.GetBookRequest", "name", "") == "");
}

TEST_CASE("numbers of each kind are decimal") {
  Types types;
  const std::string numbers = types.bytes("n.Numbers", R"(
      i32: -1 s64: -9007199254740993 u64: 18446744073709551615 f32: 4294967295 sf64: -7 real: 1.5 double: 2 double: -0.25
      )");
  const auto read = [&](const std::string& path) { return types.read("n.Numbers", path, numbers); };

  CHECK(read("i32") == "-1");
  CHECK(read("s64") == "-9007199254740993");
  CHECK(read("u64") == "18446744073709551615");
  CHECK(read("f32") == "4294967295");
  CHECK(read("sf64") == "-7");
  CHECK(read("real") == "1.5");
  CHECK(read("double") == "2,-0.25");
}

TEST_CASE("what is said more than once counts as for who parses the message") {
  Types types;
  const auto library = [&](const std::string& text) { return types.bytes("lib.GetBookRequest", text); };
  const auto numbers = [&](const std::string& text) { return types.bytes("n.Numbers", text); };

  CHECK(types.read("lib.GetBookRequest", "name", library("name: 'a'") + library("name: 'b'")) == "b");
  const std::string merged = library("author { full_name: 'a' }") + library("author { boss { full_name: 'b' } }");
  CHECK(types.read("lib.GetBookRequest", "author.full_name", merged) == "a");
  CHECK(types.read("lib.GetBookRequest", "author.boss.full_name", merged) == "b");
  CHECK(types.read("n.Numbers", "a", numbers("a: 'x'") + numbers("b: 1")) == "");
  CHECK(types.read("n.Numbers", "b", numbers("a: 'x'") + numbers("b: 1")) == "1");
  CHECK(types.read("n.Numbers", "double", std::string("\x39") + std::string(8, '\0')) == "0");  // not packed
}

TEST_CASE("what is no message, or has too many values, is not read") {
  Types types;
  CHECK(types.read("lib.GetBookRequest", "name", "\x0a\x05x") == "(none)");
  CHECK(types.read("lib.GetBookRequest", "name", "\x08") == "(none)");
  CHECK(types.read("lib.GetBookRequest", "name", std::string("\x00", 1)) == "(none)");
  CHECK(types.read("lib.GetBookRequest", "ids", "\x3a\x7f\x01") == "(none)");
  CHECK(types.read("lib.GetBookRequest", "books.tags", "\x4a\x02\x1a\x05") == "(none)");

  const auto ids = [](size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += "\x38\x01";
    return out;
  };
  CHECK(types.read("lib.GetBookRequest", "ids", ids(FieldPath::kMaxValues)).size() == 2 * FieldPath::kMaxValues - 1);
  CHECK(types.read("lib.GetBookRequest", "ids", ids(FieldPath::kMaxValues + 1)) == "(none)");
}

TEST_CASE("paths that lead nowhere are refused with the reason") {
  Types types;
  const auto problem = [&](const std::string& type, const std::string& path) { return types.read(type, path, ""); };

  CHECK(problem("lib.GetBookRequest", "nothing") == "'nothing' is no field of lib.GetBookRequest");
  CHECK(problem("lib.GetBookRequest", "author.nothing") == "'nothing' is no field of lib.Author");
  CHECK(problem("lib.GetBookRequest", "name.x") == "'name' is no message, so that 'x' is not in it");
  CHECK(problem("lib.GetBookRequest", "") == "'' is no field of lib.GetBookRequest");
  CHECK_THAT(problem("lib.GetBookRequest", "author"), Catch::Contains("'author' is of type message; only texts"));
  CHECK_THAT(problem("n.Numbers", "flag"), Catch::Contains("'flag' is of type bool"));
  CHECK_THAT(problem("n.Numbers", "map"), Catch::Contains("'map' is a map"));
}

}  // namespace
}  // namespace sluice::transcoding
