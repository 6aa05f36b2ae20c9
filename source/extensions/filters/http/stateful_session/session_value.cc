#include "source/extensions/filters/http/stateful_session/session_value.h"

#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/net/address.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

constexpr size_t kLongest = 256;  // of a text; an address with its expiry is shorter
// Tags of the message: the field's number and its wire type.
constexpr char kAddress = 1 << 3 | 2;
constexpr char kExpires = 2 << 3 | 0;

void appendVarint(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

std::optional<uint64_t> takeVarint(std::string_view& bytes) {
  uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<SessionValue> decodeMessage(std::string_view bytes) {
  SessionValue out;
  while (!bytes.empty()) {
    const char tag = bytes.front();
    bytes.remove_prefix(1);
    const std::optional<uint64_t> number = takeVarint(bytes);
    if (!number) return std::nullopt;
    if (tag == kExpires) {
      if (*number > INT64_MAX) return std::nullopt;
      if (*number > 0) out.expires = std::chrono::seconds(*number);
    } else if (tag == kAddress && *number <= bytes.size()) {
      out.address = bytes.substr(0, *number);
      bytes.remove_prefix(*number);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

// Empty: it is no base64, or says nothing.
std::string bytesOf(std::string_view text) {
  std::string bytes;
  const bool fine = text.size() <= kLongest && absl::Base64Unescape(base::toAbsl(text), &bytes);
  return fine ? bytes : std::string();
}

bool isHost(std::string_view text) {
  const auto address = net::Address::parse(text);
  return address.ok() && address->isIp() && address->port() != 0;
}

}  // namespace

std::optional<SessionValue> decodeSession(std::string_view text) {
  std::string bytes = bytesOf(text);
  if (bytes.empty()) return std::nullopt;
  std::optional<SessionValue> value = bytes[0] == kAddress ? decodeMessage(bytes) : SessionValue{std::move(bytes), {}};
  return value && isHost(value->address) ? value : std::nullopt;
}

std::string addressOf(std::string_view base64) {
  std::string bytes = bytesOf(base64);
  return isHost(bytes) ? bytes : std::string();
}

std::string encodeCookie(const SessionValue& value) {
  std::string bytes(1, kAddress);
  appendVarint(bytes, value.address.size());
  bytes += value.address;
  if (value.expires) {
    bytes += kExpires;
    appendVarint(bytes, static_cast<uint64_t>(value.expires->count()));
  }
  return absl::Base64Escape(bytes);
}

std::string encodeHeader(std::string_view address) {
  return absl::Base64Escape(base::toAbsl(address));
}

}  // namespace sluice::extensions::http_filters::stateful_session
