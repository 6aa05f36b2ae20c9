#include "source/tls/client_hello.h"

#include <catch2/catch.hpp>

namespace sluice::tls {
namespace {

std::string number(size_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}
std::string prefixed(int bytes, std::string_view value) {
  return number(value.size(), bytes).append(value);
}
std::string extension(size_t type, std::string_view value) {
  return number(type, 2) + prefixed(2, value);
}
std::string serverName(std::string_view name) {
  return extension(0, prefixed(2, std::string(1, '\0') + prefixed(2, name)));
}
std::string message(std::string_view extensions) {
  std::string body = number(0x0303, 2) + std::string(32, 'r') + prefixed(1, "") + prefixed(2, number(0x1301, 2)) +
                     prefixed(1, std::string(1, '\0'));
  if (!extensions.empty()) body += prefixed(2, extensions);
  return "\x01" + prefixed(3, body);
}
std::string records(std::string_view whole, size_t record_size) {
  std::string out;
  for (; !whole.empty(); whole.remove_prefix(std::min(record_size, whole.size()))) {
    out += "\x16\x03\x01" + prefixed(2, whole.substr(0, record_size));
  }
  return out;
}
std::string usual() {
  return message(serverName("Example.COM.") + extension(16, prefixed(2, prefixed(1, "h2") + prefixed(1, "http/1.1"))) +
                 extension(43, prefixed(1, number(0x7a7a, 2) + number(0x0304, 2) + number(0x0303, 2))));
}

TEST_CASE("name, protocols and versions are found in a ClientHello") {
  ClientHello hello;

  REQUIRE(sniffClientHello(records(usual(), 16384), hello) == SniffResult::kFound);

  REQUIRE(hello.server_name == "example.com");
  REQUIRE(hello.alpn == std::vector<std::string>{"h2", "http/1.1"});
  REQUIRE(hello.versions == std::vector<uint16_t>{0x0304, 0x0303});
}

TEST_CASE("a ClientHello split into records of any size and read byte by byte is the same") {
  const size_t record_size = GENERATE(1, 2, 3, 7, 100);
  const std::string bytes = records(usual(), record_size);
  ClientHello hello;

  for (size_t i = 0; i < bytes.size(); ++i) {
    REQUIRE(sniffClientHello(std::string_view(bytes).substr(0, i), hello) == SniffResult::kNeedMore);
  }

  REQUIRE(sniffClientHello(bytes, hello) == SniffResult::kFound);
  REQUIRE(hello.server_name == "example.com");
}

TEST_CASE("plain text is known at its first byte") {
  ClientHello hello;
  const char* reason = nullptr;

  REQUIRE(sniffClientHello("G", hello, &reason) == SniffResult::kNotTls);

  REQUIRE(std::string_view(reason) == "no TLS handshake record");
  REQUIRE(sniffClientHello("\x16G", hello) == SniffResult::kNotTls);
}

TEST_CASE("a ClientHello without extensions offers its legacy version") {
  ClientHello hello;

  REQUIRE(sniffClientHello(records(message(""), 16384), hello) == SniffResult::kFound);

  REQUIRE(hello.server_name.empty());
  REQUIRE(hello.versions == std::vector<uint16_t>{0x0303});
}

TEST_CASE("a ClientHello that offers none of TLS 1.0 to 1.3 is none") {
  const uint16_t offered = GENERATE(0x0002, 0x0300, 0x0305, 0xfefd);
  const bool legacy = GENERATE(true, false);
  std::string text = message(legacy ? "" : extension(43, prefixed(1, number(offered, 2))));
  if (legacy) text.replace(4, 2, number(offered, 2));
  ClientHello hello;
  const char* reason = nullptr;

  REQUIRE(sniffClientHello(records(text, 16384), hello, &reason) == SniffResult::kNotTls);

  REQUIRE(std::string_view(reason) == "no version from TLS 1.0 to 1.3");
}

TEST_CASE("what two parsers could read differently is refused") {
  const std::string extensions =
      GENERATE(serverName("a.com") + serverName("b.com"),  // two of them
               extension(0, prefixed(2, std::string(1, '\0') + prefixed(2, "a") + '\0' + prefixed(2, "b"))),  // in one
               serverName(std::string_view("a\0.com", 6)), serverName("a b"), serverName(std::string(256, 'a')),
               serverName(""), extension(0, number(0, 2)), extension(16, prefixed(2, prefixed(1, ""))),
               extension(16, number(9, 2)), extension(43, prefixed(1, "odd")), number(0, 2) + number(50, 2));
  ClientHello hello;

  REQUIRE(sniffClientHello(records(message(extensions), 16384), hello) == SniffResult::kNotTls);
}

TEST_CASE("a ClientHello offers a bounded number of protocols") {
  const auto offers = [](size_t count) {
    std::string list;
    for (size_t i = 0; i < count; ++i) list += prefixed(1, "x");
    ClientHello hello;
    return sniffClientHello(records(message(extension(16, prefixed(2, list))), 16384), hello);
  };
  CHECK(offers(kMaxProtocols) == SniffResult::kFound);
  CHECK(offers(kMaxProtocols + 1) == SniffResult::kNotTls);
}

TEST_CASE("a ClientHello that never ends is refused") {
  const std::string endless = "\x01" + number(0xffffff, 3) + std::string(70000, 'x');
  const std::string empty_records = std::string("\x16\x03\x01\0\0", 5);
  ClientHello hello;

  REQUIRE(sniffClientHello(records(endless, 16384), hello) == SniffResult::kNotTls);
  REQUIRE(sniffClientHello(empty_records, hello) == SniffResult::kNotTls);
}

}  // namespace
}  // namespace sluice::tls
