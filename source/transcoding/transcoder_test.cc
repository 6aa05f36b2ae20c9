#include "source/transcoding/transcoder.h"

#include <catch2/catch.hpp>

#include "google/protobuf/dynamic_message.h"
#include "google/rpc/status.pb.h"
#include "source/transcoding/descriptor_set.h"
#include "source/transcoding/test_library_service.h"

namespace sluice::transcoding {
namespace {

using testing::libraryFile;
using testing::setOf;
using testing::setRule;

// Messages of the service as text, to look at and to make.
class Types {
 public:
  std::string text(const std::string& type, const std::string& bytes) const {
    const auto message = set_->newMessage(*set_->pool().FindMessageTypeByName("lib." + type));
    if (!message->ParseFromString(bytes)) return "(broken)";
    return message->ShortDebugString();
  }
  std::string bytes(const std::string& type, const std::string& text) const {
    const auto message = set_->newMessage(*set_->pool().FindMessageTypeByName("lib." + type));
    REQUIRE(google::protobuf::TextFormat::ParseFromString(text, message.get()));
    return message->SerializeAsString();
  }

 private:
  const std::shared_ptr<const DescriptorSet> set_ = *DescriptorSet::parse(setOf(libraryFile()));
};

std::shared_ptr<const Transcoder> library(const Options& options = {}) {
  auto made = Transcoder::make(setOf(libraryFile()), {"lib.Library"}, options);
  REQUIRE(made.ok());
  return *std::move(made);
}

// The message that a request becomes, behind the method's name; or why it does not.
std::string sent(const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& type = "GetBookRequest", const Options& options = {}) {
  const auto transcoder = library(options);
  const auto call = transcoder->match(method, path);
  if (!call.ok()) return std::string(call.status().message());
  const auto bytes = transcoder->encodeRequest(*call, body);
  if (!bytes.ok()) return "refused";
  return call->method->path.substr(13) + " " + Types().text(type, *bytes);
}

TEST_CASE("a query cannot nest messages as deep as it is long") {
  const auto boss = [](size_t levels) {
    std::string path = "/v1/books/x?author.";
    for (size_t i = 0; i < levels; ++i) path += "boss.";
    return sent("GET", path + "full_name=A");
  };
  CHECK(boss(1) == "GetBook name: \"x\" author { boss { full_name: \"A\" } }");
  CHECK(boss(10000) == "a parameter of the query is nested too deep");
}

TEST_CASE("a path and a query become a message") {
  CHECK(sent("GET", "/v1/shelves/1/books/2") == "GetBook name: \"shelves/1/books/2\"");
  CHECK(sent("GET", "/v1/books/a%20b?view=FULL&revision=-3&deep=true") ==
        "GetBook name: \"a b\" view: FULL revision: -3 deep: true");
  CHECK(sent("GET", "/v1/books/x?author.fullName=A%26B&ids=1&ids=2") ==
        "GetBook name: \"x\" author { full_name: \"A&B\" } ids: 1 ids: 2");
  CHECK(sent("GET", "/v1/books/x?author.full_name=A&view=1") ==
        "GetBook name: \"x\" view: FULL author { full_name: \"A\" }");
  CHECK(sent("GET", "/v1/books/x?since=1970-01-01T00:00:05Z&page_limit=7&pageLimit=8") ==
        "GetBook name: \"x\" since { seconds: 5 } page_limit { value: 8 }");
  CHECK(sent("GET", "/v1/books/x?name=y") == "GetBook name: \"x\"");
  CHECK(sent("GET", "/v1/books/x?&") == "GetBook name: \"x\"");
}

TEST_CASE("a body is the message, a field of it, or nothing") {
  CHECK(sent("PATCH", "/v1/book/Me", R"({"name":"n","unknown":1,"tags":["a"]})", "Book") ==
        "UpdateBook name: \"n\" tags: \"a\" author { full_name: \"Me\" }");
  CHECK(sent("POST", "/v1/shelves/1/books?parent=ignored", R"({"title":"t"})", "CreateBookRequest") ==
        "CreateBook parent: \"shelves/1\" book { title: \"t\" }");
  CHECK(sent("POST", "/v1/shelves/1/books", "", "CreateBookRequest") == "CreateBook parent: \"shelves/1\"");
  CHECK(sent("POST", "/v1/a/b:archive", "{}", "Book") == "Archive name: \"a/b\"");
  CHECK(sent("GET", "/v1/books/x", "not looked at") == "GetBook name: \"x\"");
}

TEST_CASE("a body cannot say more than its field") {
  CHECK(sent("POST", "/v1/shelves/1/books", R"({}},"parent":"x","book":{})", "CreateBookRequest") == "refused");
  CHECK(sent("POST", "/v1/shelves/1/books", R"({},"parent":"x")", "CreateBookRequest") == "refused");
  CHECK(sent("PATCH", "/v1/book/Me", "{} {}", "Book") == "refused");
  CHECK(sent("PATCH", "/v1/book/Me", "[]", "Book") == "refused");
  CHECK(sent("PATCH", "/v1/book/Me", R"({"pages":"many"})", "Book") == "refused");
}

TEST_CASE("query parameters that are no fields, or cannot be set, are told of") {
  CHECK(sent("GET", "/v1/books/x?nothing=1") == "lib.GetBookRequest has no field nothing");
  CHECK(sent("GET", "/v1/books/x?name.a=1") == "lib.GetBookRequest.name is no message and has no field a");
  CHECK_THAT(sent("GET", "/v1/books/x?books.name=1"), Catch::Contains("lib.GetBookRequest.books is repeated"));
  CHECK_THAT(sent("GET", "/v1/books/x?author=1&author.full_name=2"), Catch::Contains("that has a value"));
  CHECK(sent("GET", "/v1/books/x?view=NONE") == "refused");
  CHECK(sent("GET", "/v1/nothing/of/this") == "no method of a service takes this request");
  const std::string plain = "GetBook name: \"x\"";
  CHECK(sent("GET", "/v1/books/x?key=1", "", "GetBookRequest", {.ignored_parameters = {"key"}}) == plain);
  CHECK(sent("GET", "/v1/books/x?view=FULL", "", "GetBookRequest", {.ignored_parameters = {"view"}}) == plain);
  CHECK(sent("GET", "/v1/books/x?key=1", "", "GetBookRequest", {.ignore_unknown_parameters = true}) == plain);
}

TEST_CASE("options of requests have their effect") {
  CHECK(sent("GET", "/v1/books/x?author.fullName=a+b") == "GetBook name: \"x\" author { full_name: \"a+b\" }");
  CHECK(sent("GET", "/v1/books/x?author.fullName=a+b", "", "GetBookRequest", {.plus_is_space = true}) ==
        "GetBook name: \"x\" author { full_name: \"a b\" }");
  CHECK(sent("GET", "/v1/books/x?view=full") == "refused");
  CHECK(sent("GET", "/v1/books/x?view=full", "", "GetBookRequest", {.case_insensitive_enums = true}) ==
        "GetBook name: \"x\" view: FULL");
  CHECK(sent("POST", "/lib.Library/Plain", "{}", "Book") == "no method of a service takes this request");
  CHECK(sent("POST", "/lib.Library/Plain", R"({"name":"n"})", "Book", {.auto_mapping = true}) == "Plain name: \"n\"");
}

TEST_CASE("path and body that differ are refused if that is asked for") {
  const Options strict{.reject_collisions = true};
  const std::string other = R"({"author":{"full_name":"Other"}})", same = R"({"author":{"full_name":"Me"}})";
  // Without it the path holds.
  CHECK(sent("PATCH", "/v1/book/Me", other, "Book") == "UpdateBook author { full_name: \"Me\" }");
  CHECK(sent("PATCH", "/v1/book/Me", other, "Book", strict) == "refused");
  CHECK(sent("PATCH", "/v1/book/Me", same, "Book", strict) == "UpdateBook author { full_name: \"Me\" }");
  CHECK(sent("PATCH", "/v1/book/Me", "{}", "Book", strict) == "UpdateBook author { full_name: \"Me\" }");
}

// The JSON of an answer.
std::string answered(const std::string& method, const std::string& path, const std::string& type,
                     const std::string& text, const Options& options = {}) {
  const auto transcoder = library(options);
  const auto call = transcoder->match(method, path);
  REQUIRE(call.ok());
  const auto json = transcoder->decodeResponse(*call, Types().bytes(type, text));
  return json.ok() ? *json : "refused";
}

TEST_CASE("an answer becomes JSON") {
  const std::string book = "name: 'n' pages: 5 author { full_name: 'A' }";
  CHECK(answered("GET", "/v1/books/x", "Book", book) == R"({"name":"n","author":{"fullName":"A"},"pages":"5"})");
  CHECK(answered("GET", "/v1/books/x", "Book", book, {.proto_names = true}) ==
        R"({"name":"n","author":{"full_name":"A"},"pages":"5"})");
  CHECK(answered("GET", "/v1/books/x", "Book", "", {.print_primitives = true}) ==
        R"({"name":"","title":"","tags":[],"pages":"0"})");
  CHECK_THAT(answered("GET", "/v1/books/x", "Book", book, {.whitespace = true}), Catch::Contains("\n"));
}

TEST_CASE("an answer may be a field of the message") {
  CHECK(answered("REPORT", "/v1/titles", "Books", "books { name: 'a' } books {} total: 2") == R"([{"name":"a"},{}])");
  CHECK(answered("REPORT", "/v1/titles", "Books", "total: 2") == "[]");
}

TEST_CASE("an error becomes JSON, with details whose types are known") {
  const auto transcoder = library();
  CHECK(transcoder->statusJson(5, "gone", "") == R"({"code":5,"message":"gone"})");
  CHECK(transcoder->statusJson(5, "no \xff", "") == R"({"code":5,"message":"no !"})");
  google::rpc::Status status;
  status.set_code(7);
  auto* detail = status.add_details();
  detail->set_type_url("type.googleapis.com/lib.Author");
  detail->set_value(Types().bytes("Author", "full_name: 'A'"));
  CHECK(transcoder->statusJson(7, "no", status.SerializeAsString()) ==
        R"({"code":7,"details":[{"@type":"type.googleapis.com/lib.Author","fullName":"A"}]})");
  detail->set_type_url("type.googleapis.com/no.Type");
  CHECK(transcoder->statusJson(7, "no", status.SerializeAsString()) == R"({"code":7})");
  CHECK(transcoder->statusJson(7, "no", "\xff") == R"({"code":7,"message":"no"})");
}

// What is wrong with a set.
std::string problem(const std::string& set, const std::vector<std::string>& services = {"lib.Library"}) {
  const auto made = Transcoder::make(set, services, {});
  return made.ok() ? "" : std::string(made.status().message());
}

TEST_CASE("what is wrong with a descriptor set is said") {
  CHECK_THAT(problem("text"), Catch::Contains("is no descriptor set"));
  CHECK_THAT(problem(""), Catch::Contains("is no descriptor set"));
  CHECK(problem(setOf(libraryFile()), {"lib.Nobody"}) ==
        "the descriptor set has no service \"lib.Nobody\"; it has lib.Library");
  auto file = libraryFile();
  file.add_dependency("other.proto");
  CHECK_THAT(problem(setOf(file)), Catch::Contains("lib.proto imports other.proto, which is not in the set"));
  file = libraryFile();
  file.mutable_message_type(1)->mutable_field(3)->set_type_name(".lib.Nothing");
  CHECK_THAT(problem(setOf(file)), Catch::Contains("lib.proto: lib.Book.author"));
  google::protobuf::FileDescriptorSet circle;
  for (const char* name : {"a.proto", "b.proto"}) circle.add_file()->set_name(name);
  circle.mutable_file(0)->add_dependency("b.proto");
  circle.mutable_file(1)->add_dependency("a.proto");
  CHECK_THAT(problem(circle.SerializeAsString()), Catch::Contains("imports itself"));
}

TEST_CASE("what is wrong with a rule is said") {
  const auto with = [](const std::string& rule) {
    auto file = libraryFile();
    auto& method = *file.mutable_service(0)->mutable_method(7);
    setRule(method, rule);
    return problem(setOf(file));
  };
  const std::string who = "google.api.http of lib.Library.Plain: ";
  CHECK(with("get: '/v1/plain/{title}'") == "");
  CHECK(with("body: '*'") == who + "has a rule without get, put, post, delete, patch or custom");
  CHECK(with("get: '/{nothing}'") == who + "lib.Book has no field nothing");
  CHECK_THAT(with("get: '/{tags}'"), Catch::Contains("the repeated field lib.Book.tags"));
  CHECK(with("post: '/x' body: 'nothing'") == who + "lib.Book has no field nothing");
  CHECK(with("get: '/x' response_body: 'nothing'") == who + "lib.Book has no field nothing");
  CHECK_THAT(with("get: 'x'"), Catch::Contains("does not begin with '/'"));
  CHECK(with("get: '/v1/books/{title}'") == who + "takes the same requests as /lib.Library/GetBook");
}

}  // namespace
}  // namespace sluice::transcoding
