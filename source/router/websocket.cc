#include "source/router/websocket.h"

#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "absl/strings/escaping.h"

namespace sluice::router {
namespace {

// FIPS 180-4 section 6.1. It proves here that a peer read the key, nothing more.
std::array<uint8_t, 20> sha1(std::string text) {
  const uint64_t bits = uint64_t{text.size()} * 8;
  text.push_back(static_cast<char>(0x80));
  while (text.size() % 64 != 56) text.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(bits >> shift));

  std::array<uint32_t, 5> state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (size_t block = 0; block < text.size(); block += 64) {
    std::array<uint32_t, 80> w;
    for (size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (size_t j = 0; j < 4; ++j) w[i] = w[i] << 8 | static_cast<uint8_t>(text[block + i * 4 + j]);
    }
    for (size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state;
    for (size_t i = 0; i < 80; ++i) {
      uint32_t f, k;
      if (i < 20) {
        f = (b & c) | (~b & d);
        k = 0x5A827999;
      } else if (i < 40) {
        f = b ^ c ^ d;
        k = 0x6ED9EBA1;
      } else if (i < 60) {
        f = (b & c) | (b & d) | (c & d);
        k = 0x8F1BBCDC;
      } else {
        f = b ^ c ^ d;
        k = 0xCA62C1D6;
      }
      const uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
  }
  std::array<uint8_t, 20> out;
  for (size_t i = 0; i < 20; ++i) out[i] = static_cast<uint8_t>(state[i / 4] >> (24 - i % 4 * 8));
  return out;
}

std::string_view base64(base::Arena& arena, const void* bytes, size_t size) {
  std::string out;
  absl::Base64Escape(absl::string_view(static_cast<const char*>(bytes), size), &out);
  return arena.copy(out);
}

}  // namespace

std::string_view makeWebSocketKey(base::Arena& arena, uint64_t random_high, uint64_t random_low) {
  const uint64_t bytes[2] = {random_high, random_low};
  return base64(arena, bytes, sizeof(bytes));
}

std::string_view webSocketAccept(base::Arena& arena, std::string_view key) {
  const auto digest = sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base64(arena, digest.data(), digest.size());
}

}  // namespace sluice::router
