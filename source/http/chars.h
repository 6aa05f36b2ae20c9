// Classes of bytes and the loops that skip over them, 16 bytes at a time where the processor has SSE2.
//
// The skipping functions may read (never use) up to kPadding bytes behind what they are given: the caller's text is
// followed by that much memory. All of them stop at CR, so text that ends in CR LF bounds them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::http {

inline constexpr size_t kPadding = 16;

// A token byte (RFC 9110 section 5.6.2) in lower case, 0 for any other byte.
inline constexpr std::array<char, 256> kTokenLower = [] {
  std::array<char, 256> out{};
  for (int c = '0'; c <= '9'; ++c) out[c] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) out[c] = out[c - 'a' + 'A'] = static_cast<char>(c);
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) out[static_cast<unsigned char>(c)] = c;
  return out;
}();

// Bytes of a registered name or IPv4 address (RFC 3986 section 3.2.2), without the comma, which lists would be split
// at.
inline constexpr std::array<bool, 256> kHostByte = [] {
  std::array<bool, 256> out{};
  for (int c = '0'; c <= '9'; ++c) out[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) out[c] = out[c - 'a' + 'A'] = true;
  for (char c : std::string_view("-._~%!$&'()*+;=")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

inline char tokenLower(char c) {
  return kTokenLower[static_cast<unsigned char>(c)];
}

inline bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// A control byte that may not stand in a field value (RFC 9110 section 5.5): all but HTAB.
inline bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

#if defined(__SSE2__)

namespace detail {

// 16 bytes of 0x20, then 16 of 0: a window into it lowers the first n bytes only.
alignas(16) inline constexpr std::array<char, 32> kLowerPrefix = [] {
  std::array<char, 32> out{};
  for (int i = 0; i < 16; ++i) out[i] = 0x20;
  return out;
}();

inline __m128i load16(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
// Bytes whose unsigned value is at most `most`.
inline __m128i atMost(__m128i bytes, char most) {
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(most)), bytes);
}

}  // namespace detail

#endif

// Lowers the token at `at` in place; returns the first byte that is not of it.
inline char* lowerToken(char* at) {
#if defined(__SSE2__)
  // Letters, digits and '-' by vector; the rare others by table.
  while (true) {
    const __m128i bytes = detail::load16(at);
    const __m128i low = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i letter = detail::atMost(_mm_sub_epi8(low, _mm_set1_epi8('a')), 25);
    const __m128i digit = detail::atMost(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), 9);
    const __m128i dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    const unsigned common = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash)));
    const unsigned run = static_cast<unsigned>(std::countr_one(common));
    // The common bytes all have, or for capitals get, bit 0x20.
    const __m128i prefix = detail::load16(detail::kLowerPrefix.data() + 16 - run);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm_or_si128(bytes, prefix));
    at += run;
    if (run == 16) continue;
    const char lower = tokenLower(*at);
    if (lower == 0) return at;
    *at++ = lower;
  }
#else
  while (const char lower = tokenLower(*at)) *at++ = lower;
  return at;
#endif
}

// The first byte from `at` that may not stand in a field value.
inline char* skipValue(char* at) {
#if defined(__SSE2__)
  while (true) {
    const __m128i bytes = detail::load16(at);
    // 0x20 to 0x7e, as most are: with 1 more they are above 0x20 as signed numbers.
    const __m128i plain = _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(1)), _mm_set1_epi8(0x20));
    if (const unsigned other = static_cast<unsigned>(_mm_movemask_epi8(plain)) ^ 0xffff; other == 0) {
      at += 16;
      continue;
    } else if (char* const first = at + std::countr_zero(other); isControl(*first)) {
      return first;
    }
    // A tab, or text beyond ASCII.
    const __m128i control = detail::atMost(bytes, 0x1f);
    const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    const int stop = _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
    if (stop != 0) return at + std::countr_zero(static_cast<unsigned>(stop));
    at += 16;
  }
#else
  while (!isControl(*at)) ++at;
  return at;
#endif
}

// The first byte from `at` that may not stand in a request target: all but visible ASCII, and '#'.
inline char* skipTarget(char* at) {
#if defined(__SSE2__)
  while (true) {
    const __m128i bytes = detail::load16(at);
    const __m128i visible = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x20));  // signed: 0x80 and above are not
    const __m128i other =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    const unsigned good = static_cast<unsigned>(_mm_movemask_epi8(_mm_andnot_si128(other, visible)));
    if (good != 0xffff) return at + std::countr_one(good);
    at += 16;
  }
#else
  while (*at > 0x20 && *at < 0x7f && *at != '#') ++at;
  return at;
#endif
}

// The first byte of [at, end) that may not stand in a registered name or IPv4 address.
inline const char* skipHost(const char* at, const char* end) {
#if defined(__SSE2__)
  while (true) {
    const __m128i bytes = detail::load16(at);
    const __m128i letter =
        detail::atMost(_mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')), 25);
    // '-' and '.' and, refused below, '/' come before '0'.
    const __m128i digit = detail::atMost(_mm_sub_epi8(bytes, _mm_set1_epi8('-')), '9' - '-');
    const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'));
    const unsigned run = static_cast<unsigned>(std::countr_one(
        static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letter, _mm_andnot_si128(slash, digit))))));
    at += run;
    if (at >= end) return end;
    if (run == 16) continue;
    if (!kHostByte[static_cast<unsigned char>(*at)]) return at;
    ++at;
  }
#else
  while (at < end && kHostByte[static_cast<unsigned char>(*at)]) ++at;
  return at;
#endif
}

}  // namespace sluice::http
