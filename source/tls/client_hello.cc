#include "source/tls/client_hello.h"

#include <algorithm>
#include <cctype>

#include "source/base/ascii.h"
#include "source/tls/wire_reader.h"

namespace sluice::tls {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHelloMessage = 1;
constexpr size_t kRecordHeader = 5;
constexpr size_t kMessageHeader = 4;
constexpr size_t kMaxRecord = 16 * 1024;
constexpr uint16_t kServerName = 0;
constexpr uint16_t kAlpn = 16;
constexpr uint16_t kSupportedVersions = 43;

// Only a name of the type host_name counts, and only one of a shape that could be one: what ends up in routing
// decisions and logs has no spaces, controls or NUL.
bool parseServerName(std::string_view extension, std::string& name) {
  WireReader reader(extension);
  std::string_view list;
  if (!reader.prefixed(2, list) || !reader.empty() || list.empty()) return false;
  WireReader names(list);
  while (!names.empty()) {
    size_t type;
    std::string_view value;
    if (!names.number(1, type) || !names.prefixed(2, value)) return false;
    if (type != 0) continue;
    if (!name.empty() || value.empty() || value.size() > 255) return false;
    if (!std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; })) return false;
    name = value;
  }
  if (!name.empty() && name.back() == '.') name.pop_back();
  base::lowerInPlace(name);
  return true;
}

bool parseAlpn(std::string_view extension, std::vector<std::string>& protocols) {
  WireReader reader(extension);
  std::string_view list, protocol;
  if (!reader.prefixed(2, list) || !reader.empty() || list.empty()) return false;
  WireReader entries(list);
  while (!entries.empty()) {
    if (!entries.prefixed(1, protocol) || protocol.empty() || protocols.size() == kMaxProtocols) return false;
    protocols.emplace_back(protocol);
  }
  return true;
}

bool parseVersions(std::string_view extension, std::vector<uint16_t>& versions) {
  WireReader reader(extension);
  std::string_view list;
  if (!reader.prefixed(1, list) || !reader.empty() || list.empty() || list.size() % 2 != 0) return false;
  WireReader entries(list);
  size_t version;
  while (entries.number(2, version)) {
    if (!isGrease(version)) versions.push_back(static_cast<uint16_t>(version));
  }
  return true;
}

// The extensions block; each type may stand there once (RFC 8446, 4.2).
const char* parseExtensions(std::string_view block, ClientHello& hello) {
  WireReader extensions(block);
  uint32_t seen = 0;
  while (!extensions.empty()) {
    size_t type;
    std::string_view value;
    if (!extensions.number(2, type) || !extensions.prefixed(2, value)) return "an extension is cut off";
    const uint32_t bit = type == kServerName ? 1 : type == kAlpn ? 2 : type == kSupportedVersions ? 4 : 0;
    if (seen & bit) return "an extension is there twice";
    seen |= bit;
    if (type == kServerName && !parseServerName(value, hello.server_name)) return "the server name is malformed";
    if (type == kAlpn && !parseAlpn(value, hello.alpn)) return "the ALPN list is malformed";
    if (type == kSupportedVersions && !parseVersions(value, hello.versions)) return "the version list is malformed";
  }
  return nullptr;
}

bool isTls(uint16_t version) {
  return version >= 0x0301 && version <= 0x0304;
}

// The message without its header. Null: understood; else what is wrong.
const char* parseMessage(std::string_view message, ClientHello& hello) {
  WireReader reader(message);
  size_t version;
  std::string_view random, session_id, ciphers, compressions, extensions;
  if (!reader.number(2, version) || !reader.bytes(32, random) || !reader.prefixed(1, session_id) ||
      !reader.prefixed(2, ciphers) || !reader.prefixed(1, compressions)) {
    return "the ClientHello is cut off";
  }
  if (session_id.size() > 32 || ciphers.empty() || ciphers.size() % 2 != 0 || compressions.empty()) {
    return "the ClientHello is malformed";
  }
  hello.legacy_version = static_cast<uint16_t>(version);
  if (!reader.empty()) {
    if (!reader.prefixed(2, extensions) || !reader.empty()) return "the extensions are cut off";
    if (const char* wrong = parseExtensions(extensions, hello)) return wrong;
  }
  if (hello.versions.empty()) hello.versions.push_back(hello.legacy_version);
  if (std::none_of(hello.versions.begin(), hello.versions.end(), isTls)) return "no version from TLS 1.0 to 1.3";
  return nullptr;
}

}  // namespace

SniffResult sniffClientHello(std::string_view bytes, ClientHello& hello, const char** reason, std::string* body) {
  const auto notTls = [reason](const char* why) {
    if (reason != nullptr) *reason = why;
    return SniffResult::kNotTls;
  };
  const bool full = bytes.size() >= kMaxClientHello;
  // Every byte that is here is checked at once: a plain-text client must not wait for more.
  std::string message;
  size_t wanted = kMessageHeader;
  for (std::string_view rest = bytes;;) {
    if (!rest.empty() && static_cast<uint8_t>(rest[0]) != kHandshakeRecord) return notTls("no TLS handshake record");
    if (rest.size() > 1 && rest[1] != 3) return notTls("no TLS record version");
    if (rest.size() < kRecordHeader) break;
    const size_t length = static_cast<uint8_t>(rest[3]) << 8 | static_cast<uint8_t>(rest[4]);
    if (length == 0 || length > kMaxRecord) return notTls("a record of an invalid length");
    const std::string_view part = rest.substr(kRecordHeader, length);
    message += part;
    if (!message.empty() && static_cast<uint8_t>(message[0]) != kClientHelloMessage) return notTls("no ClientHello");
    if (message.size() >= kMessageHeader) {
      const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(message[i])); };
      wanted = kMessageHeader + (byte(1) << 16 | byte(2) << 8 | byte(3));
      if (wanted > kMaxClientHello) return notTls("the ClientHello is too long");
      if (message.size() >= wanted) {
        ClientHello found;
        const std::string_view whole = std::string_view(message).substr(kMessageHeader, wanted - kMessageHeader);
        if (const char* wrong = parseMessage(whole, found)) return notTls(wrong);
        hello = std::move(found);
        if (body != nullptr) *body = whole;
        return SniffResult::kFound;
      }
    }
    if (part.size() < length) break;
    rest.remove_prefix(kRecordHeader + length);
  }
  return full ? notTls("the ClientHello is too long") : SniffResult::kNeedMore;
}

}  // namespace sluice::tls
