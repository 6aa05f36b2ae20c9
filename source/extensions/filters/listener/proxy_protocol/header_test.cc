#include "source/extensions/filters/listener/proxy_protocol/header.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::extensions::listener_filters::proxy_protocol {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

// Version 2 with this command byte, family byte, addresses and whatever is behind them.
std::string v2(int command, int family, const std::string& rest) {
  return kSignature +
         bytes({command, family, static_cast<int>(rest.size() >> 8), static_cast<int>(rest.size() & 255)}) + rest;
}

const std::string kV4Block = bytes({1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 1, 0xBB});

struct Parsed {
  explicit Parsed(const std::string& text) : outcome(parseHeader(text, header, reason)) {}
  Header header;
  const char* reason = "";
  Outcome outcome;
};

TEST_CASE("version 1 tells addresses and ports") {
  const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
  const Parsed parsed(line + "GET / HTTP/1.1\r\n");
  REQUIRE(parsed.outcome == Outcome::kFound);
  CHECK(parsed.header.version == 1);
  CHECK(parsed.header.size == line.size());
  CHECK(parsed.header.source.toString() == "192.0.2.1:56324");
  CHECK(parsed.header.destination.toString() == "198.51.100.2:443");
  const Parsed six("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  REQUIRE(six.outcome == Outcome::kFound);
  CHECK(six.header.source.toString() == "[2001:db8::1]:0");
  CHECK(six.header.destination.toString() == "[::1]:65535");
}

TEST_CASE("an unknown family of version 1 is taken without addresses") {
  for (const std::string line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 x y 1\r\n"}) {
    const Parsed parsed(line);
    CHECK(parsed.outcome == Outcome::kFound);
    CHECK(parsed.header.size == line.size());
    CHECK_FALSE(parsed.header.source);
  }
}

TEST_CASE("version 1 is taken in its one form only") {
  for (const char* line : {
           "PROXY \r\n",
           "PROXY TCP4\r\n",
           "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 +2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
           "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
           "PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n",
           "PROXY TCP4 ::1 ::2 1 2\r\n",
           "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP6 ::1%lo ::1 1 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx",
           "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
       }) {
    CAPTURE(line);
    CHECK(Parsed(line).outcome == Outcome::kMalformed);
  }
  CHECK(Parsed("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + std::string(200, 'x')).outcome == Outcome::kMalformed);
  CHECK(Parsed("PROXY UNKNOWN" + std::string(92, ' ') + "\r\n").outcome == Outcome::kFound);
  CHECK(Parsed("PROXY UNKNOWN" + std::string(93, ' ') + "\r\n").outcome == Outcome::kMalformed);
}

TEST_CASE("what does not begin like a header is none") {
  for (const char* text : {"GET / HTTP/1.1\r\n", "PROXYX", "PROXY\r\n", "proxy TCP4", "\r\n\r\n\r\n", "\x16\x03\x01"}) {
    CAPTURE(text);
    CHECK(Parsed(text).outcome == Outcome::kAbsent);
  }
}

TEST_CASE("split anywhere a header is waited for") {
  const std::string one = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
  const std::string two = v2(0x21, 0x11, kV4Block + bytes({5, 0, 2, 1, 2}));
  for (const std::string& header : {one, two}) {
    for (size_t size = 0; size < header.size(); ++size) {
      CAPTURE(size);
      CHECK(Parsed(header.substr(0, size)).outcome == Outcome::kNeedMore);
    }
    CHECK(Parsed(header).outcome == Outcome::kFound);
  }
}

TEST_CASE("version 2 tells addresses, ports and TLVs") {
  const std::string header = v2(0x21, 0x11, kV4Block + bytes({1, 0, 2, 'h', '2', 4, 0, 0}));
  const Parsed parsed(header + "GET");
  REQUIRE(parsed.outcome == Outcome::kFound);
  CHECK(parsed.header.version == 2);
  CHECK(parsed.header.size == header.size());
  CHECK(parsed.header.source.toString() == "1.2.3.4:4660");
  CHECK(parsed.header.destination.toString() == "5.6.7.8:443");
  REQUIRE(parsed.header.tlvs.size() == 2);
  CHECK(parsed.header.tlvs[0].type == 1);
  CHECK(Parsed(header).header.tlvs[1].type == 4);
  std::string six(36, '\0');
  six[15] = 1;
  six[31] = 2;
  six[33] = 80;
  const Parsed v6(v2(0x21, 0x21, six));
  REQUIRE(v6.outcome == Outcome::kFound);
  CHECK(v6.header.source.toString() == "[::1]:80");
  CHECK(v6.header.destination.toString() == "[::2]:0");
}

TEST_CASE(
    "LOCAL, UNSPEC and Unix sockets of version 2 leave the addresses as "
    "they are") {
  for (const std::string& header : {v2(0x20, 0, ""), v2(0x20, 0x11, kV4Block), v2(0x20, 0xFF, "whatever"),
                                    v2(0x21, 0, ""), v2(0x21, 0, "anything"), v2(0x21, 0x31, std::string(216, 'a'))}) {
    const Parsed parsed(header);
    CHECK(parsed.outcome == Outcome::kFound);
    CHECK(parsed.header.size == header.size());
    CHECK_FALSE(parsed.header.source);
    CHECK_FALSE(parsed.header.destination);
  }
}

TEST_CASE("version 2 is refused where it does not add up") {
  for (const std::string& header : {
           kSignature + bytes({0x11}),                   // version 1
           kSignature + bytes({0x31}),                   // version 3
           v2(0x22, 0x11, kV4Block),                     // no such command
           v2(0x21, 0x41, kV4Block),                     // no such family
           v2(0x21, 0xF1, kV4Block),                     //
           v2(0x21, 0x13, kV4Block),                     // no such transport
           v2(0x21, 0x12, kV4Block),                     // datagrams
           v2(0x21, 0x10, kV4Block),                     //
           v2(0x21, 0x11, kV4Block.substr(1)),           // cut addresses
           v2(0x21, 0x21, std::string(35, 'a')),         //
           v2(0x21, 0x31, std::string(215, 'a')),        //
           v2(0x21, 0x11, ""),                           //
           v2(0x21, 0x11, kV4Block + bytes({1})),        // cut TLVs
           v2(0x21, 0x11, kV4Block + bytes({1, 0})),     //
           v2(0x21, 0x11, kV4Block + bytes({1, 0, 1})),  //
           v2(0x21, 0x11, kV4Block + bytes({1, 255, 255, 'a'})),
           v2(0x21, 0x11, kV4Block + bytes({3, 0, 4, 1, 2, 3, 4})),  // a wrong checksum
           v2(0x21, 0x11, kV4Block + bytes({3, 0, 3, 1, 2, 3})),     // too short a checksum
           v2(0x21, 0x11, kV4Block + std::string(kMaxHeader, '\0')),
       }) {
    CHECK(Parsed(header).outcome == Outcome::kMalformed);
  }
}

TEST_CASE("a right checksum is accepted") {
  // CRC32C of the header with a zero checksum, computed bit by bit by another program.
  const std::string header = v2(0x21, 0x11, kV4Block + bytes({3, 0, 4, 0x2A, 0x7E, 0x7D, 0x0F}));
  CHECK(Parsed(header).outcome == Outcome::kFound);
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::proxy_protocol
