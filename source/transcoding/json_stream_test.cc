#include "source/transcoding/json_stream.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"
#include "source/transcoding/grpc_frames.h"

namespace sluice::transcoding {
namespace {

using Result = JsonArray::Result;
using http::grpc::framed;

TEST_CASE("the elements of an array come out, wherever it is cut") {
  const std::string text = " [ {\"a\": [1, 2], \"b\": \"],[\\\"\"} ,2, \"x\"\n] ";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    JsonArray array(100);
    std::vector<std::string> elements;
    CHECK(array.feed(text.substr(0, cut), elements) == Result::kOk);
    CHECK(array.feed(text.substr(cut), elements) == Result::kOk);
    CHECK(array.complete());
    CHECK(absl::StrJoin(elements, "|") == "{\"a\": [1, 2], \"b\": \"],[\\\"\"} |2|\"x\"\n");
  }
}

TEST_CASE("an array may be empty, but not its elements") {
  std::vector<std::string> elements;
  CHECK(JsonArray(9).feed(" [ ] ", elements) == Result::kOk);
  CHECK(elements.empty());
  for (const std::string wrong : {"[,]", "[1,]", "[,1]", "{}", "[1]]", "[1] 2", "[}", "[{]}]", "1"}) {
    CHECK(JsonArray(9).feed(wrong, elements) == Result::kInvalid);
  }
}

TEST_CASE("elements are bounded in size and depth") {
  std::vector<std::string> elements;
  CHECK(JsonArray(3).feed("[\"123\"]", elements) == Result::kTooLarge);
  CHECK(JsonArray(1000).feed("[" + std::string(101, '['), elements) == Result::kInvalid);
}

TEST_CASE("text becomes a string of JSON") {
  std::string out;
  appendJsonString(out, std::string("a\"\\\n\0\xc3\xa4", 7));
  CHECK(out == "\"a\\\"\\\\\\u000a\\u0000\xc3\xa4\"");
}

TEST_CASE("messages of gRPC come out, wherever their frames are cut") {
  const std::string body = framed("ab") + framed("") + framed("c");
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    GrpcFrames frames(100);
    std::vector<std::string> messages;
    CHECK(frames.feed(body.substr(0, cut), messages) == GrpcFrames::Result::kOk);
    CHECK(frames.feed(body.substr(cut), messages) == GrpcFrames::Result::kOk);
    CHECK(frames.complete());
    CHECK(messages == std::vector<std::string>{"ab", "", "c"});
  }
}

TEST_CASE("a message that is too large, or compressed, is one as soon as its head is here") {
  std::vector<std::string> messages;
  CHECK(GrpcFrames(3).feed(framed("1234").substr(0, 5), messages) == GrpcFrames::Result::kTooLarge);
  std::string compressed = framed("12");
  compressed[0] = 1;
  CHECK(GrpcFrames(3).feed(compressed, messages) == GrpcFrames::Result::kCompressed);
  CHECK(messages.empty());
}

}  // namespace
}  // namespace sluice::transcoding
