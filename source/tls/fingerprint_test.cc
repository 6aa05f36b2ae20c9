#include "source/tls/fingerprint.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "source/tls/client_hello.h"

namespace sluice::tls {
namespace {

using Numbers = std::vector<uint16_t>;

std::string number(size_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
  return out;
}
std::string sized(const std::string& content, int bytes) {
  return number(content.size(), bytes) + content;
}
std::string listed(const Numbers& numbers, int bytes = 2) {
  std::string out;
  for (const uint16_t one : numbers) out += number(one, bytes);
  return out;
}

// A client as it says hello.
struct Client {
  uint16_t version = 0x0303;
  Numbers ciphers, extensions, groups, formats, signatures, versions;
  std::string protocol;

  std::string contentOf(uint16_t type) const {
    switch (type) {
      case 0:
        return sized(number(0, 1) + sized("example.com", 2), 2);
      case 10:
        return sized(listed(groups), 2);
      case 11:
        return sized(listed(formats, 1), 1);
      case 13:
        return sized(listed(signatures), 2);
      case 16:
        return sized(sized(protocol, 1), 2);
      case 43:
        return sized(listed(versions), 1);
      default:
        return "";
    }
  }

  std::string hello() const {
    std::string block;
    for (const uint16_t type : extensions) block += number(type, 2) + sized(contentOf(type), 2);
    std::string body = number(version, 2) + std::string(32, 'r') + sized("", 1) + sized(listed(ciphers), 2) +
                       sized(std::string(1, '\0'), 1);
    return extensions.empty() ? body : body + sized(block, 2);
  }
};

// Chrome 143, whose values are published with its fingerprints (browserleaks.com/tls).
Client chrome() {
  return {
      .ciphers = {0x2a2a, 4865, 4866, 4867, 49195, 49199, 49196, 49200, 52393, 52392, 49171, 49172, 156, 157, 47, 53},
      .extensions = {0x3a3a, 45, 51, 16, 65037, 23, 17613, 0, 11, 10, 43, 65281, 35, 18, 5, 13, 27, 0xfafa},
      .groups = {0x8a8a, 4588, 29, 23, 24},
      .formats = {0},
      .signatures = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
      .versions = {0xdada, 0x0304, 0x0303},
      .protocol = "h2"};
}

TEST_CASE("a published client has its published fingerprints") {
  const std::string hello = chrome().hello();

  CHECK(ja3Of(hello) == "98487aa16281980e7d1120d399efb6a4");
  CHECK(ja4Of(hello) == "t13d1516h2_8daaf6152771_d8a2da3f94cd");
}

TEST_CASE("a client that shuffles its extensions keeps JA4 and changes JA3") {
  Client shuffled = chrome();
  std::swap(shuffled.extensions[1], shuffled.extensions[4]);

  CHECK(ja3Of(shuffled.hello()) != ja3Of(chrome().hello()));
  CHECK(ja4Of(shuffled.hello()) == ja4Of(chrome().hello()));
}

TEST_CASE("a client without extensions has empty lists") {
  const Client old{.version = 0x0301, .ciphers = {0x0004, 0x0005}};

  // MD5 of "769,4-5,,,"
  CHECK(ja3Of(old.hello()) == "1d70598d8ccdfcb836bfeb091ab8e469");
  CHECK(ja4Of(old.hello()).substr(0, 11) == "t10i020000_");
  CHECK(ja4Of(old.hello()).ends_with("_000000000000"));
}

TEST_CASE("the version is the highest that is offered, the protocol its first and last character") {
  const auto first = [](const std::string& protocol, const Numbers& versions) {
    return ja4Of(
               Client{.ciphers = {0x1301}, .extensions = {16, 43}, .versions = versions, .protocol = protocol}.hello())
        .substr(0, 10);
  };

  CHECK(first("http/1.1", {0x0303, 0x0304}) == "t13i0102h1");
  CHECK(first("h", {0x0302}) == "t11i0102hh");
  CHECK(first("\xab", {0x0303}) == "t12i0102ab");
  CHECK(first("-x7", {0x7f1c}) == "t00i010227");
}

TEST_CASE("what is no ClientHello has no fingerprint") {
  CHECK(ja3Of("").empty());
  CHECK(ja4Of(chrome().hello().substr(0, 40)).empty());
}

TEST_CASE("fingerprints are of the message, however it was cut into records") {
  const std::string message = number(1, 1) + sized(chrome().hello(), 3);
  std::string bytes;
  for (size_t at = 0; at < message.size(); at += 100) bytes += "\x16\x03\x01" + sized(message.substr(at, 100), 2);
  ClientHello hello;
  std::string body;

  REQUIRE(sniffClientHello(bytes, hello, nullptr, &body) == SniffResult::kFound);

  CHECK(body == chrome().hello());
}

}  // namespace
}  // namespace sluice::tls
