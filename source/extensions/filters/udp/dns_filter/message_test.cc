#include "source/extensions/filters/udp/dns_filter/message.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/udp/dns_filter/name.h"
#include "source/extensions/filters/udp/dns_filter/table.h"
#include "source/extensions/filters/udp/dns_filter/test_dns_message.h"

namespace sluice::extensions::udp_filters::dns_filter {
namespace {

using testing::question;
using Result = Parsed::Result;

TEST_CASE("names are labels with their lengths, in lower case") {
  using namespace std::literals;
  CHECK(nameOf("www.Example.com") == "\3www\7example\3com"s);
  CHECK(nameOf("a.") == "\1a"s);
  for (const char* text : {"", ".", "a..b", ".a"}) CHECK_FALSE(nameOf(text));
  CHECK_FALSE(nameOf(std::string(64, 'a')));
  CHECK(hostText(*nameOf("a-1.b_2.c")) == "a-1.b_2.c");
  CHECK_FALSE(hostText("\3a.b"));
  CHECK(suffixOf(*nameOf("a.b.c.d")) == *nameOf("c.d"));
  CHECK(suffixOf(*nameOf("d")) == *nameOf("d"));
}

TEST_CASE("a question is read with its type, its case kept and its room") {
  const std::string bytes = question("www.Example.com", 28);
  const Parsed parsed = parseQuery(bytes);
  REQUIRE(parsed.result == Result::kQuery);
  CHECK(parsed.query.name == *nameOf("www.example.com"));
  CHECK(parsed.query.question == bytes.substr(12));
  CHECK(parsed.query.wantsAddresses(true));
  CHECK_FALSE(parsed.query.wantsAddresses(false));
  CHECK(parsed.query.limit == 512);
  CHECK(parseQuery(question("a.b", 1, 4096)).query.limit == Answer::kMaxSize);
  CHECK(parseQuery(question("a.b", 1, 100)).query.limit == 512);
}

TEST_CASE("answers and what has no header are never answered") {
  std::string answer = question("a.b", 1);
  answer[2] = '\x81';
  CHECK(parseQuery(answer).result == Result::kIgnore);
  for (size_t size = 0; size < 12; ++size)
    CHECK(parseQuery(question("a.b", 1).substr(0, size)).result == Result::kIgnore);
}

TEST_CASE("what is no plain question is answered with what is wrong") {
  const std::string good = question("a.b", 1);
  for (size_t size = 12; size < good.size(); ++size) {
    CHECK(parseQuery(good.substr(0, size)).rcode == Rcode::kFormatError);
  }
  std::string other = good;
  other[2] = '\x28';  // an update
  CHECK(parseQuery(other).rcode == Rcode::kNotImplemented);
  other = good;
  other[5] = 2;  // questions
  CHECK(parseQuery(other).rcode == Rcode::kFormatError);
  other = good;
  other[7] = 1;  // answers
  CHECK(parseQuery(other).rcode == Rcode::kFormatError);
  other = good;
  other[12] = '\xc0';  // a pointer
  CHECK(parseQuery(other).rcode == Rcode::kFormatError);
  other = good;
  other.back() = 3;  // chaos
  CHECK(parseQuery(other).rcode == Rcode::kRefused);
  std::string text(63, 'a');
  CHECK(parseQuery(question(text + "." + text + "." + text + "." + text, 1)).long_name);
}

TEST_CASE("an answer has no more records than fit") {
  const Parsed parsed = parseQuery(question("a.b", 1, 512));
  Answer answer(parsed.query, true);
  size_t added = 0;
  while (answer.addAddress(*net::Address::fromIp("10.0.0.1", 0), 60)) ++added;
  const std::string bytes = answer.finish(Rcode::kNoError);
  CHECK(added == answer.answers());
  CHECK(bytes.size() <= 512);
  CHECK(bytes.size() > 512 - 16);
  CHECK(testing::addressesIn(bytes).size() == added);
}

TEST_CASE("a table answers for its names, for those below by stars, and for its domains") {
  Table table;
  table.domain(*nameOf("www.example.com")).ttl = 1;
  table.domain(*nameOf("apps.example.org"), true).ttl = 2;
  table.domain(*nameOf("own.apps.example.org")).ttl = 3;
  const auto ttlOf = [&](const char* text) {
    const Domain* const found = table.find(*nameOf(text));
    return found == nullptr ? 0 : found->ttl;
  };
  CHECK(ttlOf("www.example.com") == 1);
  CHECK(ttlOf("a.www.example.com") == 0);
  CHECK(ttlOf("a.apps.example.org") == 2);
  CHECK(ttlOf("a.b.apps.example.org") == 2);
  CHECK(ttlOf("own.apps.example.org") == 3);
  CHECK(ttlOf("apps.example.org") == 0);
  CHECK(table.answersFor(*nameOf("other.example.com")));
  CHECK_FALSE(table.answersFor(*nameOf("example.net")));
}

}  // namespace
}  // namespace sluice::extensions::udp_filters::dns_filter
