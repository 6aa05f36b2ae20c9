#include "source/extensions/filters/listener/proxy_protocol/filter.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::listener_filters::proxy_protocol {
namespace {

using Verdict = filter::ListenerFilter::Verdict;
constexpr std::string_view kV1 = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
constexpr std::string_view kLocal("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);

struct Connection {
  Connection() {
    accepted.remote = accepted.direct_remote = *net::Address::parse("10.0.0.7:999");
    accepted.local = accepted.direct_local = *net::Address::parse("10.0.0.1:8080");
    int count = 0;
    auto counter = [&] { return registry.counter("c" + std::to_string(count++)); };
    settings.found[1] = counter();
    settings.found[2] = counter();
    settings.malformed[1] = counter();
    settings.refused[1] = counter();
    settings.not_found_allowed = counter();
    settings.not_found_disallowed = counter();
    settings.untrusted = counter();
  }
  filter::ListenerFilter::Result send(std::string_view bytes) {
    return Filter(settings).inspect(bytes, accepted, cells);
  }
  uint64_t count(observability::Counter counter) { return registry.counterValue(counter); }

  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  Settings settings;
  filter::Accepted accepted;
};

TEST_CASE("a header replaces the addresses and is consumed, no byte more") {
  Connection c;
  const auto result = c.send(std::string(kV1) + "GET /");
  CHECK(result.verdict == Verdict::kDone);
  CHECK(result.consumed == kV1.size());
  CHECK(c.accepted.remote.toString() == "192.0.2.1:56324");
  CHECK(c.accepted.local.toString() == "198.51.100.2:443");
  CHECK(c.accepted.direct_remote.toString() == "10.0.0.7:999");
  CHECK(c.accepted.direct_local.toString() == "10.0.0.1:8080");
  CHECK(c.count(c.settings.found[1]) == 1);
}

TEST_CASE("a header of the proxy's own connection is consumed and changes nothing") {
  Connection c;
  const auto result = c.send(kLocal);
  CHECK(result.verdict == Verdict::kDone);
  CHECK(result.consumed == 16);
  CHECK(c.accepted.remote.toString() == "10.0.0.7:999");
  CHECK(c.accepted.local.toString() == "10.0.0.1:8080");
  CHECK(c.count(c.settings.found[2]) == 1);
}

TEST_CASE("a part of a header is waited for, a malformed one closes") {
  Connection c;
  CHECK(c.send("PRO").verdict == Verdict::kMore);
  CHECK(c.send("PROXY TCP4 x\r\n").verdict == Verdict::kClose);
  CHECK(c.count(c.settings.malformed[1]) == 1);
}

TEST_CASE("without a header a connection is closed unless that is allowed") {
  Connection c;
  CHECK(c.send("GET / HTTP/1.1\r\n").verdict == Verdict::kClose);
  CHECK(c.count(c.settings.not_found_disallowed) == 1);
  c.settings.allow_without = true;
  const auto result = c.send("GET / HTTP/1.1\r\n");
  CHECK(result.verdict == Verdict::kDone);
  CHECK(result.consumed == 0);
  CHECK(c.count(c.settings.not_found_allowed) == 1);
  CHECK(c.send("PROXY TCP4 x\r\n").verdict == Verdict::kClose);
}

TEST_CASE("a version may be disallowed") {
  Connection c;
  c.settings.disallowed[1] = true;
  CHECK(c.send(kV1).verdict == Verdict::kClose);
  CHECK(c.count(c.settings.refused[1]) == 1);
  CHECK(c.send(kLocal).verdict == Verdict::kDone);
}

TEST_CASE("with listed peers nobody else's bytes are looked at") {
  Connection c;
  CHECK_FALSE(Filter(c.settings).skips(c.accepted, c.cells));
  c.settings.only_trusted = true;
  c.settings.trusted = {*net::Cidr::make("10.0.0.0", 29)};
  CHECK_FALSE(Filter(c.settings).skips(c.accepted, c.cells));
  c.accepted.direct_remote = *net::Address::parse("10.0.0.8:1");
  CHECK(Filter(c.settings).skips(c.accepted, c.cells));
  CHECK(c.count(c.settings.untrusted) == 1);
}

// A version 2 header of 192.0.2.1 with these TLVs, encoded.
std::string withTlvs(const std::string& tlvs) {
  const std::string addresses("\xC0\x00\x02\x01\xC6\x33\x64\x02\xDC\x04\x01\xBB", 12);
  std::string out("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14);
  out += '\0';
  out += static_cast<char>(addresses.size() + tlvs.size());
  return out + addresses + tlvs;
}

std::string metadataOf(const Connection& c, std::string_view space, const std::string& key) {
  const auto* value = c.accepted.state ? c.accepted.state->metadata.find(space, {key}) : nullptr;
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? "none" : *text;
}

TEST_CASE("TLVs that a rule names become metadata, and others are dropped") {
  Connection c;
  c.settings.rules = {{0xEA, "own", "vpce", false}, {0xEA, "own", "raw", true}, {0xE1, "other", "k", false}};

  c.send(
      withTlvs(std::string("\xE0\x00\x01Z\xEA\x00\x03\x01"
                           "a\xFF",
                           10)));

  CHECK(metadataOf(c, "own", "vpce") ==
        "\x01"
        "a!");
  CHECK(metadataOf(c, "own", "raw") == "AWH/");
  CHECK(metadataOf(c, "other", "k") == "none");
}

TEST_CASE("of several TLVs of a type the last one counts, and without any nothing is left") {
  Connection several, none;
  several.settings.rules = none.settings.rules = {{0xEA, "own", "k", false}};

  several.send(
      withTlvs(std::string("\xEA\x00\x01"
                           "a\xEA\x00\x01"
                           "b",
                           8)));
  none.send(withTlvs(""));

  CHECK(metadataOf(several, "own", "k") == "b");
  CHECK(none.accepted.state == nullptr);
}

TEST_CASE("TLVs that are to be passed on are kept in order") {
  Connection c;
  c.settings.kept.set(0xEA).set(0xE1);

  c.send(
      withTlvs(std::string("\xE0\x00\x01Z\xEA\x00\x01"
                           "a\xEA\x00\x01"
                           "b",
                           12)));

  REQUIRE(c.accepted.state);
  CHECK(*c.accepted.state->tlvs == net::ProxyTlvs{{0xEA, "a"}, {0xEA, "b"}});
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::proxy_protocol
