#include "source/tls/fingerprint.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/tls/wire_reader.h"

namespace sluice::tls {
namespace {

constexpr uint16_t kServerName = 0;
constexpr uint16_t kGroups = 10;
constexpr uint16_t kPointFormats = 11;
constexpr uint16_t kSignatures = 13;
constexpr uint16_t kAlpn = 16;
constexpr uint16_t kVersions = 43;

constexpr std::string_view kHex = "0123456789abcdef";

// What fingerprints are made of, in the client's order and without GREASE.
struct Hello {
  uint16_t legacy_version = 0;
  std::vector<uint16_t> ciphers, extensions, groups, signatures, versions;
  std::vector<uint16_t> formats;
  std::string_view first_protocol;
};

void readNumbers(std::string_view bytes, size_t size, std::vector<uint16_t>& out) {
  WireReader reader(bytes);
  for (size_t value; reader.number(size, value);) {
    if (size != 2 || !isGrease(value)) out.push_back(static_cast<uint16_t>(value));
  }
}

// A list behind its own length of `prefix` bytes. What is malformed is empty.
void readList(std::string_view extension, size_t prefix, size_t size, std::vector<uint16_t>& out) {
  std::string_view list;
  if (WireReader(extension).prefixed(prefix, list)) readNumbers(list, size, out);
}

void readExtension(uint16_t type, std::string_view value, Hello& hello) {
  std::string_view list;
  switch (type) {
    case kGroups:
      return readList(value, 2, 2, hello.groups);
    case kPointFormats:
      return readList(value, 1, 1, hello.formats);
    case kSignatures:
      return readList(value, 2, 2, hello.signatures);
    case kVersions:
      return readList(value, 1, 2, hello.versions);
    case kAlpn:
      if (WireReader(value).prefixed(2, list)) WireReader(list).prefixed(1, hello.first_protocol);
      return;
    default:
      return;
  }
}

std::optional<Hello> parse(std::string_view body) {
  Hello hello;
  WireReader reader(body);
  size_t version;
  std::string_view random, session, ciphers, compressions, block;
  if (!reader.number(2, version) || !reader.bytes(32, random) || !reader.prefixed(1, session) ||
      !reader.prefixed(2, ciphers) || !reader.prefixed(1, compressions)) {
    return std::nullopt;
  }
  hello.legacy_version = static_cast<uint16_t>(version);
  readNumbers(ciphers, 2, hello.ciphers);
  if (!reader.prefixed(2, block)) return hello;
  WireReader extensions(block);
  size_t type;
  std::string_view value;
  while (extensions.number(2, type) && extensions.prefixed(2, value)) {
    if (isGrease(type)) continue;
    hello.extensions.push_back(static_cast<uint16_t>(type));
    readExtension(static_cast<uint16_t>(type), value, hello);
  }
  return hello;
}

std::string hexOf(const uint8_t* bytes, size_t size) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), size});
}

// --- JA3 -------------------------------------------------------------------------------------------------------------

std::string decimals(const std::vector<uint16_t>& numbers) {
  std::string out;
  for (const uint16_t number : numbers) {
    if (!out.empty()) out += '-';
    out += std::to_string(number);
  }
  return out;
}

// --- JA4 -------------------------------------------------------------------------------------------------------------

std::string_view versionText(const Hello& hello) {
  const auto highest = std::max_element(hello.versions.begin(), hello.versions.end());
  switch (highest == hello.versions.end() ? hello.legacy_version : *highest) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

std::string twoDigits(size_t count) {
  count = std::min<size_t>(count, 99);
  return {static_cast<char>('0' + count / 10), static_cast<char>('0' + count % 10)};
}

// First and last character of the first protocol; of its hexadecimal form if one of them is no letter or digit.
std::string protocolText(std::string_view protocol) {
  if (protocol.empty()) return "00";
  const char first = protocol.front(), last = protocol.back();
  if (absl::ascii_isalnum(first) && absl::ascii_isalnum(last)) return {first, last};
  return {kHex[static_cast<uint8_t>(first) >> 4], kHex[static_cast<uint8_t>(last) & 15]};
}

std::string hexList(const std::vector<uint16_t>& numbers) {
  std::string out;
  for (const uint16_t number : numbers) {
    if (!out.empty()) out += ',';
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[number >> shift & 15];
  }
  return out;
}

std::string shortHash(const std::string& text) {
  if (text.empty()) return std::string(12, '0');
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  return hexOf(digest, 6);
}

}  // namespace

std::string ja3Of(std::string_view body) {
  const std::optional<Hello> hello = parse(body);
  if (!hello) return {};
  const std::string text = std::to_string(hello->legacy_version) + ',' + decimals(hello->ciphers) + ',' +
                           decimals(hello->extensions) + ',' + decimals(hello->groups) + ',' + decimals(hello->formats);
  uint8_t digest[MD5_DIGEST_LENGTH];
  MD5(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  return hexOf(digest, sizeof(digest));
}

std::string ja4Of(std::string_view body) {
  std::optional<Hello> hello = parse(body);
  if (!hello) return {};
  std::vector<uint16_t>& extensions = hello->extensions;
  const bool named = std::find(extensions.begin(), extensions.end(), kServerName) != extensions.end();
  std::string out = "t";
  out += versionText(*hello);
  out += named ? 'd' : 'i';
  out += twoDigits(hello->ciphers.size()) + twoDigits(extensions.size()) + protocolText(hello->first_protocol);
  std::sort(hello->ciphers.begin(), hello->ciphers.end());
  // Who is asked for and by which protocol is in the first part, and says little of the client.
  std::erase_if(extensions, [](uint16_t type) { return type == kServerName || type == kAlpn; });
  std::sort(extensions.begin(), extensions.end());
  std::string rest = hexList(extensions);
  if (!rest.empty() && !hello->signatures.empty()) rest += '_' + hexList(hello->signatures);
  return out + '_' + shortHash(hexList(hello->ciphers)) + '_' + shortHash(rest);
}

}  // namespace sluice::tls
