#include "source/route/sticky_split.h"

#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <variant>

#include "source/base/host_port.h"

namespace sluice::route {
namespace {

// A cookie is the identity, a dot and its signature, in hexadecimal digits.
constexpr size_t kIdSize = 16;
constexpr size_t kMacBytes = 16;
constexpr size_t kCookieSize = kIdSize + 1 + 2 * kMacBytes;

// Up to here a double is a whole number and no other.
constexpr double kMostWhole = 9007199254740992;  // 2^53

using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;

const uint8_t* bytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

Digest hmac(std::string_view key, std::string_view text) {
  Digest out;
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), key.size(), bytesOf(text), text.size(), out.data(), &size);
  return out;
}

// A secret may sign other things elsewhere.
std::string cookieKey(std::string_view secret, std::string_view cookie_name) {
  const Digest key = hmac(secret, "sluice.route.v1.StickySplit " + std::string(cookie_name));
  return {key.begin(), key.end()};
}

void writeHex(char* out, const uint8_t* bytes, size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (size_t i = 0; i < size; ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 15];
  }
}

using CookieText = std::array<char, kCookieSize>;

CookieText sign(std::string_view key, std::string_view id) {
  CookieText out;
  id.copy(out.data(), kIdSize);
  out[kIdSize] = '.';
  writeHex(out.data() + kIdSize + 1, hmac(key, id).data(), kMacBytes);
  return out;
}

// Of a text or a whole number; empty: there is none.
std::string textAt(const stream::DynamicMetadata& metadata, const StickySplit::Key& key) {
  const stream::MetadataValue* const found = metadata.find(key.name, key.path);
  if (found == nullptr) return {};
  if (const auto* text = std::get_if<std::string>(&found->value)) return *text;
  const auto* number = std::get_if<double>(&found->value);
  if (number == nullptr || std::abs(*number) > kMostWhole || std::trunc(*number) != *number) return {};
  return std::to_string(static_cast<int64_t>(*number));
}

}  // namespace

StickySplit::StickySplit(std::string rollout, std::vector<Key> keys, std::optional<Anonymous> anonymous)
    : rollout_(std::move(rollout)), keys_(std::move(keys)), anonymous_(std::move(anonymous)) {
  if (!anonymous_) return;
  for (std::string& secret : anonymous_->secrets) secret = cookieKey(secret, anonymous_->cookie.name);
  secure_cookie_ = anonymous_->cookie;
  secure_cookie_.attributes.emplace_back("Secure", "");
}

uint64_t StickySplit::pointOf(std::string_view rollout, std::string_view user) {
  SHA256_CTX hash;
  SHA256_Init(&hash);
  SHA256_Update(&hash, rollout.data(), rollout.size());
  SHA256_Update(&hash, "", 1);
  SHA256_Update(&hash, user.data(), user.size());
  Digest digest;
  SHA256_Final(digest.data(), &hash);
  uint64_t point = 0;
  for (size_t i = 0; i < 8; ++i) point = point << 8 | digest[i];
  return point;
}

std::vector<size_t> StickySplit::orderOfShares(size_t count) {
  std::vector<size_t> order;
  if (count == 0) return order;
  for (size_t i = 1; i < count; i += 2) order.push_back(i);
  order.push_back(0);
  for (size_t i = (count - 1) / 2 * 2; i >= 2; i -= 2) order.push_back(i);
  return order;
}

bool StickySplit::knowsUserBy(const stream::DynamicMetadata& metadata) const {
  return std::any_of(keys_.begin(), keys_.end(), [&metadata](const Key& key) {
    return key.source == Key::Source::kMetadata && !textAt(metadata, key).empty();
  });
}

StickySplit::Place StickySplit::placeOf(const http::RequestHeaders& request, std::string_view remote_address,
                                        uint64_t random, const stream::DynamicMetadata* metadata) const {
  const std::string_view named = keyOf(request, remote_address, metadata);
  if (!named.empty()) return {.point = pointOf(rollout_, named)};
  if (!anonymous_) return {.point = random};
  const Signed known = signedUser(http::cookieValue(request, anonymous_->cookie.name).value_or(""));
  if (!known.id.empty()) {
    return {.point = pointOf(rollout_, known.id), .set_cookie = known.anew ? cookieOf(request, known.id) : ""};
  }
  std::array<uint8_t, kIdSize / 2> number;
  for (size_t i = 0; i < number.size(); ++i) number[i] = static_cast<uint8_t>(random >> (8 * i));
  std::array<char, kIdSize> digits;
  writeHex(digits.data(), number.data(), number.size());
  const std::string_view id(digits.data(), digits.size());
  return {.point = pointOf(rollout_, id), .set_cookie = cookieOf(request, id)};
}

std::string_view StickySplit::cookieOf(const http::RequestHeaders& request, std::string_view id) const {
  const CookieText value = sign(anonymous_->secrets.front(), id);
  const bool secure = request.scheme == "https";
  return http::setCookieText(request.arena(), secure ? secure_cookie_ : anonymous_->cookie,
                             {value.data(), value.size()});
}

// Empty: nothing tells.
std::string_view StickySplit::keyOf(const http::RequestHeaders& request, std::string_view remote_address,
                                    const stream::DynamicMetadata* metadata) const {
  for (const Key& key : keys_) {
    std::string_view user;
    switch (key.source) {
      case Key::Source::kHeader:
        user = request.lookup(key.name).value_or("");
        break;
      case Key::Source::kCookie:
        user = http::cookieValue(request, key.name).value_or("");
        break;
      case Key::Source::kAddress:
        user = base::splitHostPort(remote_address).bareHost();
        break;
      case Key::Source::kMetadata:
        if (metadata != nullptr) user = request.arena().copy(textAt(*metadata, key));
        break;
    }
    if (!user.empty()) return user;
  }
  return {};
}

StickySplit::Signed StickySplit::signedUser(std::string_view cookie) const {
  if (cookie.size() != kCookieSize) return {};
  const std::string_view id = cookie.substr(0, kIdSize);
  for (const std::string& key : anonymous_->secrets) {
    const CookieText right = sign(key, id);
    if (CRYPTO_memcmp(right.data(), cookie.data(), right.size()) != 0) continue;
    return {.id = id, .anew = &key != &anonymous_->secrets.front()};
  }
  return {};
}

}  // namespace sluice::route
