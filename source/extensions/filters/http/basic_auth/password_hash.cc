#include "source/extensions/filters/http/basic_auth/password_hash.h"

#include <crypt.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

constexpr std::string_view kSha = "{SHA}";
constexpr std::string_view kDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// What takes a thread some seconds, and 256 MiB, at most.
constexpr int kMaxBcryptCost = 15;
constexpr int kMaxShaRounds = 1000000;
constexpr size_t kMaxScryptCost = 16;    // 2^16 blocks
constexpr size_t kMaxYescryptCost = 15;  // 2^16 blocks
// The size of blocks and how many lanes there are, as crypt_gensalt() makes them: 4 KiB (or 1), and one. Others may
// stand for any time and memory.
constexpr std::string_view kScryptBlocks = "U..../....";
constexpr std::string_view kYescryptBlocks[] = {"T$", "5$"};

bool isOfDigits(std::string_view text) {
  return text.find_first_not_of(kDigits) == std::string_view::npos;
}

// Whether what follows the last '$' is a hash of that many digits.
bool endsInHash(std::string_view text, size_t digits) {
  const std::string_view last = text.substr(text.rfind('$') + 1);
  return last.size() == digits && isOfDigits(last);
}

bool isNumber(std::string_view text, int least, int most) {
  int number = 0;
  return absl::SimpleAtoi(base::toAbsl(text), &number) && number >= least && number <= most;
}

bool isBcrypt(std::string_view text) {
  return text.size() == 60 && text[6] == '$' && isNumber(text.substr(4, 2), 4, kMaxBcryptCost) && endsInHash(text, 53);
}

bool isShaCrypt(std::string_view text) {
  constexpr std::string_view kRounds = "rounds=";
  const std::string_view rest = text.substr(3);
  if (rest.starts_with(kRounds)) {
    const std::string_view rounds = rest.substr(kRounds.size(), rest.find('$') - kRounds.size());
    if (!isNumber(rounds, 1000, kMaxShaRounds)) return false;
  }
  return endsInHash(text, 86);
}

bool isScrypt(std::string_view text) {
  return endsInHash(text, 43) && kDigits.find(text[3]) <= kMaxScryptCost &&
         text.substr(4, kScryptBlocks.size()) == kScryptBlocks;
}

bool isYescrypt(std::string_view text) {
  return endsInHash(text, 43) && kDigits.find(text[4]) <= kMaxYescryptCost &&
         std::ranges::find(kYescryptBlocks, text.substr(5, 2)) != std::end(kYescryptBlocks);
}

bool isCrypt(std::string_view text) {
  if (text.size() >= CRYPT_OUTPUT_SIZE) return false;
  for (const char c : text) {
    if (c != '$' && c != '=' && kDigits.find(c) == std::string_view::npos) return false;
  }
  if (text.starts_with("$2a$") || text.starts_with("$2b$") || text.starts_with("$2y$")) return isBcrypt(text);
  if (text.starts_with("$6$")) return isShaCrypt(text);
  if (text.starts_with("$7$")) return isScrypt(text);
  if (text.starts_with("$y$j")) return isYescrypt(text);
  return false;
}

bool isSame(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

bool matchesSha1(std::string_view password, const std::array<uint8_t, SHA_DIGEST_LENGTH>& sha1) {
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const uint8_t*>(password.data()), password.size(), digest.data());
  return CRYPTO_memcmp(digest.data(), sha1.data(), digest.size()) == 0;
}

bool matchesCrypt(std::string_view password, const std::string& crypt) {
  // crypt() would take what stands in front of a NUL for the whole.
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE || password.find('\0') != std::string_view::npos) return false;
  const auto data = std::make_unique<crypt_data>();
  const char* const hash = ::crypt_r(std::string(password).c_str(), crypt.c_str(), data.get());
  return hash != nullptr && isSame(hash, crypt);
}

}  // namespace

std::optional<PasswordHash> PasswordHash::parse(std::string_view text) {
  if (text.starts_with(kSha)) {
    std::string digest;
    Sha1 sha1{};
    if (!absl::Base64Unescape(base::toAbsl(text.substr(kSha.size())), &digest)) return std::nullopt;
    if (digest.size() != sha1.size()) return std::nullopt;
    std::copy(digest.begin(), digest.end(), sha1.begin());
    return PasswordHash(sha1);
  }
  if (text.starts_with(Argon2Hash::kPrefix)) {
    auto hash = Argon2Hash::parse(text);
    return hash ? std::optional(PasswordHash(*std::move(hash))) : std::nullopt;
  }
  if (!isCrypt(text)) return std::nullopt;
  return PasswordHash(Crypt(text));
}

bool PasswordHash::matches(std::string_view password) const {
  if (const auto* sha1 = std::get_if<Sha1>(&hash_)) return matchesSha1(password, *sha1);
  if (const auto* argon2 = std::get_if<Argon2Hash>(&hash_)) return argon2->matches(password);
  return matchesCrypt(password, std::get<Crypt>(hash_));
}

}  // namespace sluice::extensions::http_filters::basic_auth
