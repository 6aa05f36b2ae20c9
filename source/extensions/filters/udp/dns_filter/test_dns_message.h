// Questions as clients ask them, and what stands in answers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/udp/dns_filter/message.h"
#include "source/net/address.h"

namespace sluice::extensions::udp_filters::dns_filter::testing {

// With the id 0x1234. `edns`: bytes that the client takes; 0: it does not say.
inline std::string question(std::string_view name, uint16_t type, uint16_t edns = 0) {
  using namespace std::literals;
  std::string out = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"s;
  out += edns == 0 ? '\0' : '\1';
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out += '\0';
  out += static_cast<char>(type >> 8);
  out += static_cast<char>(type & 0xff);
  out += "\0\1"s;
  if (edns == 0) return out;
  out += "\0\0\x29"s;
  out += static_cast<char>(edns >> 8);
  out += static_cast<char>(edns & 0xff);
  return out + std::string(6, '\0');
}

inline uint16_t numberIn(std::string_view bytes, size_t at) {
  if (at + 2 > bytes.size()) std::abort();
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

// Where a name that begins at `at` ends.
inline size_t behindName(std::string_view bytes, size_t at) {
  for (;;) {
    if (at >= bytes.size()) std::abort();
    const auto length = static_cast<uint8_t>(bytes[at]);
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
    if (length == 0) return at;
  }
}

inline Rcode rcodeIn(std::string_view answer) {
  return static_cast<Rcode>(numberIn(answer, 2) & 0xf);
}

// All A and AAAA records of an answer, those beside it too.
inline std::vector<std::string> addressesIn(std::string_view answer) {
  std::vector<std::string> out;
  size_t at = 12;
  for (uint16_t i = numberIn(answer, 4); i > 0; --i) at = behindName(answer, at) + 4;
  for (uint16_t i = numberIn(answer, 6) + numberIn(answer, 10); i > 0; --i) {
    at = behindName(answer, at);
    const uint16_t type = numberIn(answer, at);
    const uint16_t size = numberIn(answer, at + 8);
    if (type == 1) out.push_back(net::Address::fromIpv4Bytes(answer.data() + at + 10, 0).ip());
    if (type == 28) out.push_back(net::Address::fromIpv6Bytes(answer.data() + at + 10, 0).ip());
    at += 10 + size;
  }
  return out;
}

}  // namespace sluice::extensions::udp_filters::dns_filter::testing
