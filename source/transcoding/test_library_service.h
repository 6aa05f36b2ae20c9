// A small service for tests: the descriptor set of lib.Library, with each form of a rule.
#pragma once

#include <cstdlib>
#include <string>

#include "google/api/http.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/text_format.h"

namespace sluice::transcoding::testing {

inline constexpr char kLibrary[] = R"(
name: "lib.proto" package: "lib" syntax: "proto3"
dependency: "google/protobuf/timestamp.proto" dependency: "google/protobuf/wrappers.proto"
enum_type { name: "View" value { name: "BASIC" number: 0 } value { name: "FULL" number: 1 } }
message_type { name: "Author"
  field { name: "full_name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "fullName" }
  field { name: "boss" number: 2 type: TYPE_MESSAGE type_name: ".lib.Author" label: LABEL_OPTIONAL } }
message_type { name: "Book"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "title" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "tags" number: 3 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "author" number: 4 type: TYPE_MESSAGE type_name: ".lib.Author" label: LABEL_OPTIONAL }
  field { name: "pages" number: 5 type: TYPE_INT64 label: LABEL_OPTIONAL } }
message_type { name: "GetBookRequest"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "view" number: 2 type: TYPE_ENUM type_name: ".lib.View" label: LABEL_OPTIONAL }
  field { name: "revision" number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "author" number: 4 type: TYPE_MESSAGE type_name: ".lib.Author" label: LABEL_OPTIONAL }
  field { name: "since" number: 5 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
  field { name: "page_limit" number: 6 type: TYPE_MESSAGE type_name: ".google.protobuf.Int32Value"
          label: LABEL_OPTIONAL json_name: "pageLimit" }
  field { name: "ids" number: 7 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "deep" number: 8 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "books" number: 9 type: TYPE_MESSAGE type_name: ".lib.Book" label: LABEL_REPEATED } }
message_type { name: "CreateBookRequest"
  field { name: "parent" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "book" number: 2 type: TYPE_MESSAGE type_name: ".lib.Book" label: LABEL_OPTIONAL } }
message_type { name: "Books"
  field { name: "books" number: 1 type: TYPE_MESSAGE type_name: ".lib.Book" label: LABEL_REPEATED }
  field { name: "total" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } }
service { name: "Library"
  method { name: "GetBook" input_type: ".lib.GetBookRequest" output_type: ".lib.Book" }
  method { name: "CreateBook" input_type: ".lib.CreateBookRequest" output_type: ".lib.Book" }
  method { name: "UpdateBook" input_type: ".lib.Book" output_type: ".lib.Book" }
  method { name: "Archive" input_type: ".lib.Book" output_type: ".lib.Book" }
  method { name: "ListBooks" input_type: ".lib.GetBookRequest" output_type: ".lib.Book" server_streaming: true }
  method { name: "Upload" input_type: ".lib.Book" output_type: ".lib.Books" client_streaming: true }
  method { name: "Titles" input_type: ".lib.GetBookRequest" output_type: ".lib.Books" }
  method { name: "Plain" input_type: ".lib.Book" output_type: ".lib.Book" } }
)";

// google.api.HttpRule as text.
inline void setRule(google::protobuf::MethodDescriptorProto& method, const std::string& rule) {
  google::api::HttpRule proto;
  if (!google::protobuf::TextFormat::ParseFromString(rule, &proto)) std::abort();
  google::protobuf::MethodOptions& options = *method.mutable_options();
  options.GetReflection()->MutableUnknownFields(&options)->AddLengthDelimited(72295728, proto.SerializeAsString());
}

// The file before it becomes a set, for tests that spoil it.
inline google::protobuf::FileDescriptorProto libraryFile() {
  google::protobuf::FileDescriptorProto file;
  if (!google::protobuf::TextFormat::ParseFromString(kLibrary, &file)) std::abort();
  const char* rules[] = {
      "get: '/v1/{name=shelves/*/books/*}' additional_bindings { get: '/v1/books/{name}' }",
      "post: '/v1/{parent=shelves/*}/books' body: 'book'",
      "patch: '/v1/book/{author.full_name}' body: '*'",
      "post: '/v1/{name=**}:archive' body: '*'",
      "get: '/v1/list/{name}'",
      "post: '/v1/upload' body: '*'",
      "custom { kind: 'REPORT' path: '/v1/titles' } response_body: 'books'",
  };
  for (int i = 0; i < 7; ++i) setRule(*file.mutable_service(0)->mutable_method(i), rules[i]);
  return file;
}

inline std::string setOf(const google::protobuf::FileDescriptorProto& file) {
  google::protobuf::FileDescriptorSet set;
  *set.add_file() = file;
  return set.SerializeAsString();
}

}  // namespace sluice::transcoding::testing
