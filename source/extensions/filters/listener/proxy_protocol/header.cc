#include "source/extensions/filters/listener/proxy_protocol/header.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sluice::extensions::listener_filters::proxy_protocol {
namespace {

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Start("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV1MaxSize = 107;  // with CRLF
constexpr size_t kV2FixedSize = 16;
constexpr uint8_t kCrc32c = 3;

bool beginsLike(std::string_view bytes, std::string_view start) {
  const size_t common = std::min(bytes.size(), start.size());
  return bytes.substr(0, common) == start.substr(0, common);
}

Outcome malformed(const char*& reason, const char* text) {
  reason = text;
  return Outcome::kMalformed;
}

// Up to the next space, or the rest; `line` goes behind the space.
std::string_view takeWord(std::string_view& line) {
  const size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line = space == line.npos ? std::string_view() : line.substr(space + 1);
  return word;
}

std::optional<uint16_t> parsePort(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + (c - '0');
  }
  if (port > 0xFFFF) return std::nullopt;
  return static_cast<uint16_t>(port);
}

Outcome parseV1(std::string_view bytes, Header& header, const char*& reason) {
  header.version = 1;
  const std::string_view window = bytes.substr(0, kV1MaxSize);
  const size_t end = window.find('\r');
  if (end == window.npos || end + 1 == window.size()) {
    return window.size() == kV1MaxSize ? malformed(reason, "the line is longer than 107 bytes") : Outcome::kNeedMore;
  }
  if (window[end + 1] != '\n') return malformed(reason, "CR without LF");
  header.size = end + 2;

  std::string_view line = window.substr(kV1Start.size(), end - kV1Start.size());
  const size_t spaces = std::count(line.begin(), line.end(), ' ');
  const std::string_view family = takeWord(line);
  if (family == "UNKNOWN") return Outcome::kFound;  // whatever else the line says
  const bool v4 = family == "TCP4";
  if (!v4 && family != "TCP6") return malformed(reason, "neither TCP4, TCP6 nor UNKNOWN");
  if (spaces != 4) return malformed(reason, "not two addresses and two ports");
  const std::string_view source = takeWord(line), destination = takeWord(line);
  const std::optional<uint16_t> source_port = parsePort(takeWord(line)), destination_port = parsePort(line);
  if (!source_port || !destination_port) return malformed(reason, "a port is no number from 0 to 65535");
  const auto wanted = v4 ? net::Address::Family::kIpv4 : net::Address::Family::kIpv6;
  const auto from = net::Address::fromIp(source, *source_port);
  const auto to = net::Address::fromIp(destination, *destination_port);
  if (!from || !to || from->family() != wanted || to->family() != wanted) {
    return malformed(reason, "an address is not one of the family");
  }
  header.source = *from;
  header.destination = *to;
  return Outcome::kFound;
}

uint8_t byteAt(std::string_view bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

uint16_t numberAt(std::string_view bytes, size_t i) {
  return static_cast<uint16_t>(byteAt(bytes, i) << 8 | byteAt(bytes, i + 1));
}

// RFC 3720 appendix B.4, over the header with the checksum itself as zero.
uint32_t crc32c(std::string_view header, size_t zero_at) {
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 0; i < header.size(); ++i) {
    crc ^= i >= zero_at && i < zero_at + 4 ? 0 : byteAt(header, i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

Outcome parseTlvs(std::string_view whole, size_t at, Header& header, const char*& reason) {
  while (at < whole.size()) {
    if (whole.size() - at < 3) return malformed(reason, "a TLV is cut off");
    const size_t length = numberAt(whole, at + 1);
    if (whole.size() - at - 3 < length) return malformed(reason, "a TLV is longer than the header");
    const uint8_t type = byteAt(whole, at);
    if (type == kCrc32c) {
      if (length != 4) return malformed(reason, "the checksum is not of 4 bytes");
      const uint32_t told = uint32_t{numberAt(whole, at + 3)} << 16 | numberAt(whole, at + 5);
      if (told != crc32c(whole, at + 3)) return malformed(reason, "the checksum is wrong");
    }
    header.tlvs.push_back({type, whole.substr(at + 3, length)});
    at += 3 + length;
  }
  return Outcome::kFound;
}

Outcome parseV2(std::string_view bytes, Header& header, const char*& reason) {
  header.version = 2;
  if (bytes.size() > 12 && byteAt(bytes, 12) >> 4 != 2) return malformed(reason, "not version 2");
  if (bytes.size() < kV2FixedSize) return Outcome::kNeedMore;
  const uint8_t command = byteAt(bytes, 12) & 0xF;
  if (command > 1) return malformed(reason, "neither LOCAL nor PROXY");
  const size_t length = numberAt(bytes, 14);
  if (kV2FixedSize + length > kMaxHeader) return malformed(reason, "the header is longer than 16 KiB");
  const uint8_t family = byteAt(bytes, 13) >> 4, transport = byteAt(bytes, 13) & 0xF;
  // Lengths of the address blocks of UNSPEC, INET, INET6, UNIX.
  constexpr std::array<size_t, 4> kAddressBytes = {0, 12, 36, 216};
  const bool is_local = command == 0;
  if (!is_local) {
    if (family >= kAddressBytes.size()) return malformed(reason, "an unknown address family");
    if (transport > 2) return malformed(reason, "an unknown transport protocol");
    if (family != 0 && transport != 1) return malformed(reason, "not a stream");
    if (length < kAddressBytes[family]) return malformed(reason, "too short for its addresses");
  }
  header.size = kV2FixedSize + length;
  if (bytes.size() < header.size) return Outcome::kNeedMore;
  if (is_local) return Outcome::kFound;

  const char* block = bytes.data() + kV2FixedSize;
  if (family == 1) {
    header.source = net::Address::fromIpv4Bytes(block, numberAt(bytes, kV2FixedSize + 8));
    header.destination = net::Address::fromIpv4Bytes(block + 4, numberAt(bytes, kV2FixedSize + 10));
  } else if (family == 2) {
    header.source = net::Address::fromIpv6Bytes(block, numberAt(bytes, kV2FixedSize + 32));
    header.destination = net::Address::fromIpv6Bytes(block + 16, numberAt(bytes, kV2FixedSize + 34));
  }
  if (family == 0) return Outcome::kFound;  // nothing behind the fixed part is defined
  return parseTlvs(bytes.substr(0, header.size), kV2FixedSize + kAddressBytes[family], header, reason);
}

}  // namespace

Outcome parseHeader(std::string_view bytes, Header& header, const char*& reason) {
  header = Header();
  if (beginsLike(bytes, kV2Start)) {
    return bytes.size() < kV2Start.size() ? Outcome::kNeedMore : parseV2(bytes, header, reason);
  }
  if (beginsLike(bytes, kV1Start)) {
    return bytes.size() < kV1Start.size() ? Outcome::kNeedMore : parseV1(bytes, header, reason);
  }
  return Outcome::kAbsent;
}

}  // namespace sluice::extensions::listener_filters::proxy_protocol
