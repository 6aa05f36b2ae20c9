#include "source/extensions/filters/listener/tls_inspector/filter.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::extensions::listener_filters::tls_inspector {
namespace {

using Verdict = filter::ListenerFilter::Verdict;

std::string number(size_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
  return out;
}

std::string sized(const std::string& content, int bytes) {
  return number(content.size(), bytes) + content;
}

// A ClientHello in one record. (RFC 8446, 4.1.2)
std::string clientHello(const std::string& name, const std::string& protocol, size_t padding = 0) {
  std::string extensions;
  if (!name.empty()) extensions += number(0, 2) + sized(sized(number(0, 1) + sized(name, 2), 2), 2);
  if (!protocol.empty()) extensions += number(16, 2) + sized(sized(sized(protocol, 1), 2), 2);
  if (padding > 0) extensions += number(21, 2) + sized(std::string(padding, 0), 2);
  const std::string body = number(0x0303, 2) + std::string(32, 'r') + sized("", 1) + sized(number(0x1301, 2), 2) +
                           sized(std::string(1, 0), 1) + sized(extensions, 2);
  return number(22, 1) + number(0x0301, 2) + sized(number(1, 1) + sized(body, 3), 2);
}

struct Inspected {
  explicit Inspected(const std::string& bytes, const Settings& settings = {}) {
    observability::StatsCells cells;
    result = Filter(settings).inspect(std::string_view(bytes).substr(0, settings.max_client_hello), accepted, cells);
  }
  filter::Accepted accepted;
  filter::ListenerFilter::Result result{};
};

TEST_CASE("fingerprints are made of what was asked for, and only then") {
  const std::string hello = clientHello("a.example.com", "h2");

  const Inspected both(hello, {.ja3 = true, .ja4 = true});
  REQUIRE(both.accepted.fingerprints != nullptr);
  CHECK(both.accepted.fingerprints->ja3.size() == 32);
  CHECK(both.accepted.fingerprints->ja4.starts_with("t12d0102h2_"));
  const Inspected one(hello, {.ja4 = true});
  REQUIRE(one.accepted.fingerprints != nullptr);
  CHECK(one.accepted.fingerprints->ja3.empty());
  CHECK(Inspected(hello).accepted.fingerprints == nullptr);
}

TEST_CASE("name and protocols of a ClientHello are told, nothing is consumed") {
  const Inspected whole(clientHello("Www.Example.com", "h2"));
  CHECK(whole.result.verdict == Verdict::kDone);
  CHECK(whole.result.consumed == 0);
  CHECK(whole.accepted.transport_protocol == "tls");
  CHECK(whole.accepted.server_name == "www.example.com");
  CHECK(whole.accepted.application_protocols == std::vector<std::string>{"h2"});
  const Inspected bare(clientHello("", ""));
  CHECK(bare.accepted.transport_protocol == "tls");
  CHECK(bare.accepted.server_name.empty());
  CHECK(bare.accepted.application_protocols.empty());
}

TEST_CASE("a ClientHello that comes in parts is waited for, wherever it is split") {
  const std::string hello = clientHello("a.example.com", "http/1.1");
  for (size_t size = 1; size < hello.size(); ++size) {
    const Inspected part(hello.substr(0, size));
    CHECK(part.result.verdict == Verdict::kMore);
    CHECK(part.accepted.transport_protocol == "raw_buffer");
  }
}

TEST_CASE(
    "what is not TLS goes on as plain; what only begins like it does "
    "too, unless told to close") {
  const Inspected plain("GET / HTTP/1.1\r\n\r\n");
  CHECK(plain.result.verdict == Verdict::kDone);
  CHECK(plain.accepted.transport_protocol == "raw_buffer");
  const std::string broken = number(22, 1) + number(0x0301, 2) + sized(number(2, 1) + sized("xxxx", 3), 2);
  CHECK(Inspected(broken).result.verdict == Verdict::kDone);
  CHECK(Inspected(broken, {.close_on_errors = true}).result.verdict == Verdict::kClose);
  CHECK(Inspected("GET / HTTP/1.1\r\n\r\n", {.close_on_errors = true}).result.verdict == Verdict::kDone);
}

TEST_CASE("a ClientHello beyond the limit is cut") {
  const std::string large = clientHello("a", "h2", 3000);
  CHECK(Inspected(large).result.verdict == Verdict::kDone);
  CHECK(Inspected(large, {.max_client_hello = 2000}).result.verdict == Verdict::kClose);
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::tls_inspector
