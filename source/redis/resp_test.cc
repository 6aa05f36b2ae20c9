#include "source/redis/resp.h"

#include <catch2/catch.hpp>

namespace sluice::redis {
namespace {

using Result = Framer::Result;

// All messages of the bytes; "broken" at the end if they are.
std::vector<std::string> framesOf(std::string_view bytes, Limits limits = {}) {
  Framer framer(limits);
  framer.feed(bytes);
  std::vector<std::string> out;
  std::string_view frame;
  for (;;) {
    const Result result = framer.next(frame);
    if (result == Result::kBroken) out.emplace_back("broken");
    if (result != Result::kFrame) return out;
    out.emplace_back(frame);
  }
}

const std::vector<std::string> kBroken{"broken"};

TEST_CASE("a stream is cut into its messages") {
  CHECK(framesOf("+OK\r\n:-1\r\n$3\r\na\r\n\r\n*2\r\n$1\r\na\r\n*0\r\n$-1\r\n*-1\r\n-ERR x\r\n") ==
        std::vector<std::string>{"+OK\r\n", ":-1\r\n", "$3\r\na\r\n\r\n", "*2\r\n$1\r\na\r\n*0\r\n", "$-1\r\n",
                                 "*-1\r\n", "-ERR x\r\n"});
}

TEST_CASE("a message is the same whatever the pieces in which it comes") {
  const std::string bytes = command({"SET", "key", "a\r\nb"}) + "+OK\r\n";
  Framer framer;
  std::vector<std::string> out;
  for (const char c : bytes) {
    framer.feed({&c, 1});
    std::string_view frame;
    while (framer.next(frame) == Result::kFrame) out.emplace_back(frame);
  }
  CHECK(out == std::vector<std::string>{command({"SET", "key", "a\r\nb"}), "+OK\r\n"});
  CHECK(framer.waiting() == 0);
}

TEST_CASE("what is no message breaks the stream at its first byte") {
  CHECK(framesOf("GET a\r\n") == kBroken);
  CHECK(framesOf("P") == kBroken);
  CHECK(framesOf("%1\r\n+a\r\n+b\r\n") == kBroken);
  CHECK(framesOf("\r\n") == kBroken);
}

TEST_CASE("headers are digits and end with CR LF") {
  for (const char* bytes :
       {"*1x\r\n", "*-0\r\n", "$-0\r\n", "$+1\r\na\r\n", "$-2\r\n", "*-2\r\n", "$\r\n", ":\r\n", ":1 \r\n", ":+-1\r\n",
        "+a\nb\r\n", "+a\rb\r\n", "$1\r\nab\r\n", "$1\r\na\rb", "$18446744073709551617\r\n"}) {
    CAPTURE(bytes);
    CHECK(framesOf(bytes) == kBroken);
  }
}

TEST_CASE("what a header announces beyond the limits is refused before it comes") {
  CHECK(framesOf("$101\r\n", {.bytes = 100}) == kBroken);
  CHECK(framesOf("*3\r\n", {.items = 2}) == kBroken);
  CHECK(framesOf("*2\r\n*1\r\n", {.items = 2}) == kBroken);
  CHECK(framesOf("*2\r\n$60\r\n" + std::string(60, 'a') + "\r\n$40\r\n", {.bytes = 100}) == kBroken);
}

TEST_CASE("arrays end where they end however deep they are, and are read to a limit") {
  std::string deep;
  for (size_t i = 0; i < kMaxDepth; ++i) deep += "*1\r\n";
  const std::string deeper = "*2\r\n" + deep + ":1\r\n:2\r\n";
  CHECK(framesOf(deeper + "+OK\r\n") == std::vector<std::string>{deeper, "+OK\r\n"});
  CHECK(parse(deep + ":1\r\n"));
  CHECK_FALSE(parse(deeper));
}

TEST_CASE("a line has a limit") {
  const std::string line = "+" + std::string(Limits().line, 'a') + "\r\n";
  CHECK(framesOf(line.substr(0, line.size() - 2)) == kBroken);
  CHECK(framesOf(line) == kBroken);
  CHECK(framesOf(line, kAnswerLimits) == std::vector<std::string>{line});
}

TEST_CASE("what a large message needed is not kept behind it") {
  Framer framer;
  const std::string large = command({"SET", "a", std::string(size_t{1} << 20, 'x')});
  framer.feed(large + "+O");
  std::string_view frame;
  CHECK(framer.next(frame) == Result::kFrame);
  CHECK(framer.next(frame) == Result::kNeedsMore);
  CHECK(framer.waiting() == 2);
  framer.feed("K\r\n");
  REQUIRE(framer.next(frame) == Result::kFrame);
  CHECK(frame == "+OK\r\n");
  CHECK(framer.next(frame) == Result::kNeedsMore);
  CHECK(framer.waiting() == 0);
  framer.feed(":1\r\n");
  REQUIRE(framer.next(frame) == Result::kFrame);
  CHECK(frame == ":1\r\n");
}

TEST_CASE("a list is a number of items and their bytes") {
  const auto list = listOf("*2\r\n$1\r\na\r\n:1\r\n");
  REQUIRE(list);
  CHECK(list->count == 2);
  CHECK(list->items == "$1\r\na\r\n:1\r\n");
  CHECK(listOf("*0\r\n")->count == 0);
  for (const char* other : {"*-1\r\n", "$1\r\na\r\n", "-ERR x\r\n", ""}) {
    CAPTURE(other);
    CHECK_FALSE(listOf(other));
  }
}

TEST_CASE("a message is read as what it says") {
  const std::string bytes = "*4\r\n$1\r\na\r\n:-7\r\n$-1\r\n*1\r\n-ERR x\r\n";
  const auto value = parse(bytes);

  REQUIRE(value);
  REQUIRE(value->items.size() == 4);
  CHECK(value->items[0].text == "a");
  CHECK(value->items[1].integer == -7);
  CHECK(value->items[2].type == Type::kNull);
  CHECK(value->items[3].items[0].type == Type::kError);
  CHECK(value->items[3].items[0].text == "ERR x");
}

TEST_CASE("a command is an array of bulk strings") {
  std::vector<std::string_view> words;
  const std::string bytes = command({"GET", ""});
  REQUIRE(parseCommand(bytes, words));
  CHECK(words == std::vector<std::string_view>{"GET", ""});
  for (const char* other :
       {"*0\r\n", "*-1\r\n", "+GET\r\n", "*1\r\n+GET\r\n", "*1\r\n$-1\r\n", "*1\r\n*1\r\n$1\r\na\r\n"}) {
    CAPTURE(other);
    CHECK_FALSE(parseCommand(other, words));
  }
}

TEST_CASE("an error has one line, whatever it is about") {
  CHECK(error("unsupported command 'a\r\n+OK'") == "-unsupported command 'a  +OK'\r\n");
}

}  // namespace
}  // namespace sluice::redis
